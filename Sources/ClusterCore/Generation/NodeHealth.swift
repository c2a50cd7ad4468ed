public import Transport

/// A place that a spare covers: it has loaded the same part, or is to load it, so that it can take over at once.
public struct StandbyHealth: Codable, Sendable, Equatable {
    /// The place in the pipeline.
    public var stage: Int
    public var rank: Int
    /// First layer of the stage, and the one after the last.
    public var firstLayer: Int
    public var endLayer: Int
    /// Whether it has loaded it.
    public var isWarm: Bool
    /// Why it could not load it; empty if nothing is wrong.
    public var problem: String

    private enum CodingKeys: String, CodingKey {
        case stage, rank
        case firstLayer = "first_layer"
        case endLayer = "end_layer"
        case isWarm = "is_warm"
        case problem
    }

    public init(stage: Int, rank: Int, firstLayer: Int, endLayer: Int, isWarm: Bool, problem: String = "") {
        self.stage = stage
        self.rank = rank
        self.firstLayer = firstLayer
        self.endLayer = endLayer
        self.isWarm = isWarm
        self.problem = problem
    }
}

/// One worker as the coordinator knows it.
public struct NodeHealth: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// There, without a part of the model.
        case joining
        /// There, and free to take the place of a node that is lost.
        case spare
        case loading, ready, suspect, lost, left
        /// An operator has it hold nothing; it still lets go of what it held.
        case draining
        /// The same, and it holds nothing.
        case drained
    }

    public var name: String
    public var state: State
    /// What is wrong, such as a load error; empty if nothing is.
    public var detail: String
    /// When what went wrong is tried again; nil if nothing did, or it isn't.
    public var secondsUntilRetry: Double?
    public var processID: Int32
    public var cpu: String
    public var instructionSet: String
    public var threadCount: Int
    public var memoryUsedByteCount: UInt64
    public var memoryFreeByteCount: UInt64
    /// The replica that it belongs to, as a spare, too; nil if it is not there.
    public var replica: Int?
    /// The placement in which it has a part; nil if it has none.
    public var epoch: UInt64?
    /// Position of its stage in the pipeline; nil if it has none.
    public var stage: Int?
    /// Position among the ranks of its stage; nil if it has none.
    public var rank: Int?
    /// First layer and the one after the last; nil if it holds none.
    public var firstLayer: Int?
    public var endLayer: Int?
    /// The KV heads that it holds of each layer: first, and the one after the last; nil if it holds none.
    public var firstKeyValueHead: Int?
    public var endKeyValueHead: Int?
    public var keyValueTokenCount: Int
    public var keyValueTokenCapacity: Int
    public var secondsSinceHeartbeat: Double
    /// Round trip of the last heartbeat; nil until one has come back.
    public var roundTripMilliseconds: Double?
    /// Tokens that this worker computed per second, over the last heartbeats.
    public var tokensPerSecond: Double
    /// Frames that this worker dropped because they were malformed, from an unknown sender or an older epoch.
    public var droppedFrameCount: UInt64
    /// What it measured of itself; nil until it has said so.
    public var rates: NodeRates?
    /// The place that it covers as a spare; nil if none.
    public var standby: StandbyHealth?
    /// While it gets its weights together: the bytes of the model's files that it has of those that it needs; nil otherwise.
    public var loadedByteCount: UInt64?
    public var neededByteCount: UInt64?
    /// Bytes of weights that came to it over the network since its process started.
    public var fetchedByteCount: UInt64 = 0
    /// Those of them that came from other workers.
    public var fetchedFromWorkersByteCount: UInt64 = 0

    private enum CodingKeys: String, CodingKey {
        case name, state, detail
        case secondsUntilRetry = "seconds_until_retry"
        case processID = "process_id"
        case cpu
        case instructionSet = "instruction_set"
        case threadCount = "thread_count"
        case memoryUsedByteCount = "memory_used_byte_count"
        case memoryFreeByteCount = "memory_free_byte_count"
        case replica, epoch, stage, rank
        case firstLayer = "first_layer"
        case endLayer = "end_layer"
        case firstKeyValueHead = "first_key_value_head"
        case endKeyValueHead = "end_key_value_head"
        case keyValueTokenCount = "key_value_token_count"
        case keyValueTokenCapacity = "key_value_token_capacity"
        case secondsSinceHeartbeat = "seconds_since_heartbeat"
        case roundTripMilliseconds = "round_trip_milliseconds"
        case tokensPerSecond = "tokens_per_second"
        case droppedFrameCount = "dropped_frame_count"
        case rates, standby
        case loadedByteCount = "loaded_byte_count"
        case neededByteCount = "needed_byte_count"
        case fetchedByteCount = "fetched_byte_count"
        case fetchedFromWorkersByteCount = "fetched_from_workers_byte_count"
    }

    public init(
        name: String, state: State, detail: String, processID: Int32, cpu: String, instructionSet: String,
        threadCount: Int, memoryUsedByteCount: UInt64, memoryFreeByteCount: UInt64, epoch: UInt64?, stage: Int?,
        rank: Int?,
        firstLayer: Int?,
        endLayer: Int?, firstKeyValueHead: Int?, endKeyValueHead: Int?, keyValueTokenCount: Int,
        keyValueTokenCapacity: Int, secondsSinceHeartbeat: Double,
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
        self.epoch = epoch
        self.stage = stage
        self.rank = rank
        self.firstLayer = firstLayer
        self.endLayer = endLayer
        self.firstKeyValueHead = firstKeyValueHead
        self.endKeyValueHead = endKeyValueHead
        self.keyValueTokenCount = keyValueTokenCount
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.secondsSinceHeartbeat = secondsSinceHeartbeat
        self.roundTripMilliseconds = roundTripMilliseconds
        self.tokensPerSecond = tokensPerSecond
        self.droppedFrameCount = droppedFrameCount
    }

    /// Writes the place of a node that has none as null: its keys are always there.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .name)
        try container.encode(state, forKey: .state)
        try container.encode(detail, forKey: .detail)
        try container.encode(secondsUntilRetry, forKey: .secondsUntilRetry)
        try container.encode(processID, forKey: .processID)
        try container.encode(cpu, forKey: .cpu)
        try container.encode(instructionSet, forKey: .instructionSet)
        try container.encode(threadCount, forKey: .threadCount)
        try container.encode(memoryUsedByteCount, forKey: .memoryUsedByteCount)
        try container.encode(memoryFreeByteCount, forKey: .memoryFreeByteCount)
        try container.encode(replica, forKey: .replica)
        try container.encode(epoch, forKey: .epoch)
        try container.encode(stage, forKey: .stage)
        try container.encode(rank, forKey: .rank)
        try container.encode(firstLayer, forKey: .firstLayer)
        try container.encode(endLayer, forKey: .endLayer)
        try container.encode(firstKeyValueHead, forKey: .firstKeyValueHead)
        try container.encode(endKeyValueHead, forKey: .endKeyValueHead)
        try container.encode(keyValueTokenCount, forKey: .keyValueTokenCount)
        try container.encode(keyValueTokenCapacity, forKey: .keyValueTokenCapacity)
        try container.encode(secondsSinceHeartbeat, forKey: .secondsSinceHeartbeat)
        try container.encode(roundTripMilliseconds, forKey: .roundTripMilliseconds)
        try container.encode(tokensPerSecond, forKey: .tokensPerSecond)
        try container.encode(droppedFrameCount, forKey: .droppedFrameCount)
        try container.encode(rates, forKey: .rates)
        try container.encode(standby, forKey: .standby)
        try container.encode(loadedByteCount, forKey: .loadedByteCount)
        try container.encode(neededByteCount, forKey: .neededByteCount)
        try container.encode(fetchedByteCount, forKey: .fetchedByteCount)
        try container.encode(fetchedFromWorkersByteCount, forKey: .fetchedFromWorkersByteCount)
    }
}
