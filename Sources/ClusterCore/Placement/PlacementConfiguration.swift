import Transport

/// Which workers make up the pipeline.
public enum WorkerSelection: Sendable, Equatable {
    /// That many, those first that joined first; stages are in order of name. At least 1.
    case count(Int)
    /// These, in this order. At least one; either all have layers or none.
    case named([NamedWorker])

    /// Whether the operator has put workers in by name.
    public var isNamed: Bool {
        if case .named = self { true } else { false }
    }

    /// How many workers the operator expects.
    public var workerCount: Int {
        switch self {
        case .count(let count): count
        case .named(let workers): workers.count
        }
    }
}

/// A worker that the operator has put in the pipeline.
public struct NamedWorker: Sendable, Equatable {
    public var node: NodeID
    /// The layers it is to hold; nil leaves that to the planner.
    public var layers: Range<Int>?

    public init(node: NodeID, layers: Range<Int>? = nil) {
        self.node = node
        self.layers = layers
    }
}

/// What placement goes by.
public struct PlacementConfiguration: Sendable, Equatable {
    public var selection: WorkerSelection
    /// How many ranks each stage has. Nil: one, in as many stages as there are workers.
    public var shape: [Int]?
    /// Makes the planner choose shape, workers, layers and shares, once as many workers are there as are selected.
    public var planning: PlacementPlanning?
    public var layout: ModelLayout
    /// How many parts there are of what ranks share.
    public var parts: RankParts
    public var modelFile: ModelFileReference
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache of every stage, in tokens over all sequences.
    public var keyValueTokenCapacity: Int
    /// Bytes that the keys and values of a token take in a layer, over all heads.
    public var keyValueByteCount: UInt64
    public var maximumStepRowCount: Int
    /// How exactly the last stage keeps the head.
    public var headPrecision: HeadPrecision
    /// On which grid ternary models round activations.
    public var activationGrid: ActivationGrid
    /// A worker that has not loaded its part by then, nor come further with it for so long, is set aside.
    public var loadingTimeout: Duration
    /// How long a lost worker is waited for before the model is placed on fewer.
    public var replanDelay: Duration
    /// Whether spares load in advance what they may have to take over.
    public var keepsSparesWarm = false
    /// Names of workers that are to hold nothing from the start.
    public var drained: [NodeID] = []
    /// The first epoch to open. Workers outlive a coordinator and drop older epochs than they have seen, so it must be
    /// over every epoch that a predecessor opened.
    public var firstEpoch: Epoch

    public init(
        selection: WorkerSelection, shape: [Int]? = nil, planning: PlacementPlanning? = nil, layout: ModelLayout,
        parts: RankParts,
        modelFile: ModelFileReference,
        contextLength: Int, keyValueTokenCapacity: Int, keyValueByteCount: UInt64 = 0, maximumStepRowCount: Int,
        headPrecision: HeadPrecision = .automatic, activationGrid: ActivationGrid = .exact,
        loadingTimeout: Duration = .seconds(600), replanDelay: Duration = .seconds(5), firstEpoch: Epoch = Epoch(1)
    ) {
        self.selection = selection
        self.shape = shape
        self.planning = planning
        self.layout = layout
        self.parts = parts
        self.modelFile = modelFile
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.keyValueByteCount = keyValueByteCount
        self.maximumStepRowCount = maximumStepRowCount
        self.headPrecision = headPrecision
        self.activationGrid = activationGrid
        self.loadingTimeout = loadingTimeout
        self.replanDelay = replanDelay
        self.firstEpoch = firstEpoch
    }
}

extension PlacementConfiguration {
    /// How many ranks each stage really has: without a shape one each, and no more stages than layers.
    var resolvedShape: [Int] {
        shape ?? [Int](repeating: 1, count: min(selection.workerCount, layout.layerCount))
    }

    /// The layers of each stage.
    /// - Throws: `PlanningError` if shape, selection, layers and model do not fit together.
    func split() throws(PlanningError) -> LayerSplit {
        let shape = resolvedShape
        try check(shape)
        guard case .named(let workers) = selection else { return try .balanced(layout, over: shape) }
        let ranges = workers.compactMap(\.layers)
        if ranges.isEmpty { return try .balanced(layout, over: shape) }
        guard ranges.count == workers.count else {
            throw .ranges("some workers have layers and some have none; give them to all or to none")
        }
        return try .explicit(try stageRanges(ranges, shape), layerCount: layout.layerCount)
    }

    private func check(_ ranks: [Int]) throws(PlanningError) {
        guard ranks.allSatisfy({ $0 > 0 }) else { throw .shape("a stage has no rank; give each at least one") }
        let limit = min(parts.keyValueHeadCount, parts.feedForwardBlockCount)
        if let stage = ranks.firstIndex(where: { $0 > limit }) {
            throw .shape(
                "stage \(stage) has \(ranks[stage]) ranks, but the model has \(parts.keyValueHeadCount) KV heads and "
                    + "\(parts.feedForwardBlockCount) blocks of feed-forward columns; give it at most \(limit)")
        }
        let rankCount = ranks.reduce(0, +)
        guard shape == nil || rankCount == selection.workerCount else {
            throw .shape(
                "\(selection.workerCount) workers are to take \(rankCount) places; make the numbers equal")
        }
    }

    /// One range for each stage, of those that the workers were given.
    private func stageRanges(_ ranges: [Range<Int>], _ shape: [Int]) throws(PlanningError) -> [Range<Int>] {
        guard self.shape != nil else { return ranges }
        var first = 0
        var stages: [Range<Int>] = []
        for (stage, rankCount) in shape.enumerated() {
            let own = ranges[first..<(first + rankCount)]
            guard own.allSatisfy({ $0 == ranges[first] }) else {
                throw .ranges("the workers of stage \(stage) have different layers; give them the same")
            }
            stages.append(ranges[first])
            first += rankCount
        }
        return stages
    }
}
