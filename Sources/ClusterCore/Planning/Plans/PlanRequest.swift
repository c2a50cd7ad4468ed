/// What a placement is to be best at.
public enum PlanObjective: String, Sendable, Equatable, Codable, CaseIterable {
    /// The next token of a single stream, as early as can be.
    case latency
    /// Tokens a second of all streams together, at the request's concurrency.
    case throughput
}

/// What is wanted of a plan.
public struct PlanRequest: Sendable, Equatable {
    public var objective: PlanObjective
    /// Streams that decode at a time, for the throughput.
    public var concurrency: Int
    /// The longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache of every stage, in tokens over all of its sequences.
    public var keyValueTokenCapacity: Int
    /// Tokens of the prompt that the time to the first token is for. Decoding is predicted for the token after it.
    public var promptLength: Int
    /// Most rows in a step.
    public var maximumStepRowCount: Int
    /// Whether logits are brought together, as sampling needs them unless it is greedy.
    public var gathersLogits: Bool
    public var constraints: PlanConstraints
    /// Whether the model may be placed more than once, where that gives more throughput.
    public var allowsReplicas = true

    /// - Parameter keyValueTokenCapacity: nil takes two full contexts, as the coordinator does.
    public init(
        objective: PlanObjective = .latency, concurrency: Int = 8, contextLength: Int,
        keyValueTokenCapacity: Int? = nil, promptLength: Int = 128, maximumStepRowCount: Int = 512,
        gathersLogits: Bool = false, constraints: PlanConstraints = PlanConstraints()
    ) {
        self.objective = objective
        self.concurrency = concurrency
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity ?? 2 * contextLength
        self.promptLength = promptLength
        self.maximumStepRowCount = maximumStepRowCount
        self.gathersLogits = gathersLogits
        self.constraints = constraints
    }
}

/// What the operator has settled already.
public struct PlanConstraints: Sendable, Equatable, Codable {
    /// Layers that a node has to hold, and no others. Nodes with the same layers are ranks of one stage.
    public struct Pin: Sendable, Equatable, Codable {
        public var node: String
        public var layers: Range<Int>

        public init(node: String, layers: Range<Int>) {
            self.node = node
            self.layers = layers
        }
    }

    /// The most that a node may take, in bytes.
    public struct MemoryLimit: Sendable, Equatable, Codable {
        public var node: String
        public var byteCount: UInt64

        public init(node: String, byteCount: UInt64) {
            self.node = node
            self.byteCount = byteCount
        }

        private enum CodingKeys: String, CodingKey {
            case node
            case byteCount = "byte_count"
        }
    }

    /// Ranks of each stage, such as [2, 1, 3]; nil leaves the shape to the planner. There is one replica then.
    public var rankCounts: [Int]?
    public var pins: [Pin]
    public var memoryLimits: [MemoryLimit]
    /// Nodes that get no part.
    public var excludedNodes: [String]

    public init(
        rankCounts: [Int]? = nil, pins: [Pin] = [], memoryLimits: [MemoryLimit] = [], excludedNodes: [String] = []
    ) {
        self.rankCounts = rankCounts
        self.pins = pins
        self.memoryLimits = memoryLimits
        self.excludedNodes = excludedNodes
    }

    /// The same without what is said of nodes that are not there. That does no harm, unless they have to hold something.
    func limited(to names: [String]) -> PlanConstraints {
        var limited = self
        limited.memoryLimits.removeAll { !names.contains($0.node) }
        limited.excludedNodes.removeAll { !names.contains($0) }
        return limited
    }

    private enum CodingKeys: String, CodingKey {
        case pins
        case rankCounts = "rank_counts"
        case memoryLimits = "memory_limits"
        case excludedNodes = "excluded_nodes"
    }
}
