import Transport

/// The stages of one epoch, in order: who holds which layers.
public struct PlacedPipeline: Sendable, Equatable {
    public struct Stage: Sendable, Equatable {
        public let peer: Peer
        public let layers: Range<Int>
    }

    public let epoch: Epoch
    /// At least one.
    public let stages: [Stage]

    /// The position of a node in the pipeline; nil if it has none.
    public func stage(of node: NodeID) -> Int? { stages.firstIndex { $0.peer.node == node } }
}

/// Which workers make up the pipeline.
public enum WorkerSelection: Sendable, Equatable {
    /// That many, those first that joined first; stages are in order of name. At least 1.
    case count(Int)
    /// These, in this order. At least one; either all have layers or none.
    case named([NamedWorker])

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
    public var layout: ModelLayout
    /// How many parts there are of what ranks share.
    public var parts: RankParts
    public var modelFile: ModelFileReference
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache of every stage, in tokens over all sequences.
    public var keyValueTokenCapacity: Int
    public var maximumStepRowCount: Int
    /// How exactly the last stage keeps the head.
    public var headPrecision: HeadPrecision
    /// On which grid ternary models round activations.
    public var activationGrid: ActivationGrid
    /// A worker that has not loaded its part by then is set aside.
    public var loadingTimeout: Duration
    /// The first epoch to open. Workers outlive a coordinator and drop older epochs than they have seen, so it must be
    /// over every epoch that a predecessor opened.
    public var firstEpoch: Epoch

    public init(
        selection: WorkerSelection, layout: ModelLayout, parts: RankParts, modelFile: ModelFileReference,
        contextLength: Int, keyValueTokenCapacity: Int, maximumStepRowCount: Int,
        headPrecision: HeadPrecision = .automatic, activationGrid: ActivationGrid = .exact,
        loadingTimeout: Duration = .seconds(600), firstEpoch: Epoch = Epoch(1)
    ) {
        self.selection = selection
        self.layout = layout
        self.parts = parts
        self.modelFile = modelFile
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.maximumStepRowCount = maximumStepRowCount
        self.headPrecision = headPrecision
        self.activationGrid = activationGrid
        self.loadingTimeout = loadingTimeout
        self.firstEpoch = firstEpoch
    }
}
