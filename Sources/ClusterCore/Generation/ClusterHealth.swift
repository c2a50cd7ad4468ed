/// What the coordinator has observed of the cluster, as `ryz health --json` and `GET /v1/ryz/health` show it.
public struct ClusterHealth: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// A token has passed through every stage within the last probe interval.
        case healthy
        /// Serving, or about to, with something amiss that `reason` names.
        case degraded
        /// Not serving.
        case down
    }

    public var clusterID: String
    public var model: String
    public var state: State
    /// Why the state is not `healthy`; empty when it is.
    public var reason: String
    public var epoch: UInt64
    /// Seconds since a token last passed through all stages; nil if none has.
    public var secondsSinceLastToken: Double?
    public var runningRequestCount: Int
    public var queuedRequestCount: Int
    public var queueLimit: Int
    /// Over all requests, since the last 10 seconds.
    public var tokensPerSecond: Double
    /// Frames that were dropped because they were malformed, from an unknown sender or an older epoch.
    public var droppedFrameCount: UInt64
    /// In order of name.
    public var nodes: [NodeHealth]

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case model, state, reason, epoch
        case secondsSinceLastToken = "seconds_since_last_token"
        case runningRequestCount = "running_request_count"
        case queuedRequestCount = "queued_request_count"
        case queueLimit = "queue_limit"
        case tokensPerSecond = "tokens_per_second"
        case droppedFrameCount = "dropped_frame_count"
        case nodes
    }

    public init(
        clusterID: String, model: String, state: State, reason: String, epoch: UInt64, secondsSinceLastToken: Double?,
        runningRequestCount: Int, queuedRequestCount: Int, queueLimit: Int, tokensPerSecond: Double,
        droppedFrameCount: UInt64, nodes: [NodeHealth]
    ) {
        self.clusterID = clusterID
        self.model = model
        self.state = state
        self.reason = reason
        self.epoch = epoch
        self.secondsSinceLastToken = secondsSinceLastToken
        self.runningRequestCount = runningRequestCount
        self.queuedRequestCount = queuedRequestCount
        self.queueLimit = queueLimit
        self.tokensPerSecond = tokensPerSecond
        self.droppedFrameCount = droppedFrameCount
        self.nodes = nodes
    }
}

/// One worker as the coordinator knows it.
public struct NodeHealth: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        case joining, loading, ready, suspect, lost, left
    }

    public var name: String
    public var state: State
    /// What is wrong, such as a load error; empty if nothing is.
    public var detail: String
    public var processID: Int32
    public var cpu: String
    public var instructionSet: String
    public var threadCount: Int
    public var memoryUsedByteCount: UInt64
    public var memoryFreeByteCount: UInt64
    /// Position of its stage in the pipeline; nil if it has none.
    public var stage: Int?
    /// First layer and the one after the last; nil if it holds none.
    public var firstLayer: Int?
    public var endLayer: Int?
    public var keyValueTokenCount: Int
    public var keyValueTokenCapacity: Int
    public var secondsSinceHeartbeat: Double
    /// Round trip of the last heartbeat; nil until one has come back.
    public var roundTripMilliseconds: Double?
    /// Tokens that this worker computed per second, over the last heartbeats.
    public var tokensPerSecond: Double
    /// Frames that this worker dropped because they were malformed, from an unknown sender or an older epoch.
    public var droppedFrameCount: UInt64

    private enum CodingKeys: String, CodingKey {
        case name, state, detail
        case processID = "process_id"
        case cpu
        case instructionSet = "instruction_set"
        case threadCount = "thread_count"
        case memoryUsedByteCount = "memory_used_byte_count"
        case memoryFreeByteCount = "memory_free_byte_count"
        case stage
        case firstLayer = "first_layer"
        case endLayer = "end_layer"
        case keyValueTokenCount = "key_value_token_count"
        case keyValueTokenCapacity = "key_value_token_capacity"
        case secondsSinceHeartbeat = "seconds_since_heartbeat"
        case roundTripMilliseconds = "round_trip_milliseconds"
        case tokensPerSecond = "tokens_per_second"
        case droppedFrameCount = "dropped_frame_count"
    }

    public init(
        name: String, state: State, detail: String, processID: Int32, cpu: String, instructionSet: String,
        threadCount: Int, memoryUsedByteCount: UInt64, memoryFreeByteCount: UInt64, stage: Int?, firstLayer: Int?,
        endLayer: Int?, keyValueTokenCount: Int, keyValueTokenCapacity: Int, secondsSinceHeartbeat: Double,
        roundTripMilliseconds: Double?, tokensPerSecond: Double, droppedFrameCount: UInt64
    ) {
        self.name = name
        self.state = state
        self.detail = detail
        self.processID = processID
        self.cpu = cpu
        self.instructionSet = instructionSet
        self.threadCount = threadCount
        self.memoryUsedByteCount = memoryUsedByteCount
        self.memoryFreeByteCount = memoryFreeByteCount
        self.stage = stage
        self.firstLayer = firstLayer
        self.endLayer = endLayer
        self.keyValueTokenCount = keyValueTokenCount
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.secondsSinceHeartbeat = secondsSinceHeartbeat
        self.roundTripMilliseconds = roundTripMilliseconds
        self.tokensPerSecond = tokensPerSecond
        self.droppedFrameCount = droppedFrameCount
    }
}
