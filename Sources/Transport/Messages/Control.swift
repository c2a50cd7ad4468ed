/// A worker introduces itself, on joining and again whenever the coordinator has forgotten it.
public struct Hello: Equatable, Sendable {
    /// Grows with each start of the worker process, so that a restart is told from a reconnection.
    public var incarnation: UInt64
    public var processID: Int32
    public var hostName: String
    /// See `Peer.hostID`.
    public var hostID: String
    public var cpuModel: String
    /// The instruction set that its kernels run on: `portable`, `avx2` or `avx512`.
    public var instructionSet: String
    public var threadCount: Int
    public var memoryByteCount: UInt64
    public var memoryFreeByteCount: UInt64
    /// Where other nodes reach its data plane, such as `tcp://192.168.1.12:7071`.
    public var dataEndpoint: String
    /// See `Heartbeat.heldPart`.
    public var heldPart: UInt64

    public init(
        incarnation: UInt64, processID: Int32, hostName: String, hostID: String = "", cpuModel: String,
        instructionSet: String, threadCount: Int, memoryByteCount: UInt64, memoryFreeByteCount: UInt64,
        dataEndpoint: String, heldPart: UInt64 = 0
    ) {
        self.incarnation = incarnation
        self.processID = processID
        self.hostName = hostName
        self.hostID = hostID
        self.cpuModel = cpuModel
        self.instructionSet = instructionSet
        self.threadCount = threadCount
        self.memoryByteCount = memoryByteCount
        self.memoryFreeByteCount = memoryFreeByteCount
        self.dataEndpoint = dataEndpoint
        self.heldPart = heldPart
    }
}

/// The coordinator takes a worker in.
public struct Welcome: Equatable, Sendable {
    public var heartbeatInterval: Duration
    /// Where results go: the coordinator's data plane.
    public var dataEndpoint: String
    /// Where the model's weights are to be had; empty if they are not.
    public var weightsEndpoint: String

    public init(heartbeatInterval: Duration, dataEndpoint: String, weightsEndpoint: String = "") {
        self.heartbeatInterval = heartbeatInterval
        self.dataEndpoint = dataEndpoint
        self.weightsEndpoint = weightsEndpoint
    }
}

/// The coordinator does not take a worker in: another protocol version, another cluster, or a name already in use.
public struct Refusal: Equatable, Sendable {
    public var reason: String

    public init(reason: String) { self.reason = reason }
}

/// A worker is alive, and this is how it is.
public struct Heartbeat: Equatable, Sendable {
    /// Grows by one with each heartbeat; comes back in the reply.
    public var number: UInt64
    public var memoryUsedByteCount: UInt64
    public var memoryFreeByteCount: UInt64
    public var keyValueTokenCount: Int
    public var keyValueTokenCapacity: Int
    /// Tokens that its stage has computed since it started.
    public var computedTokenCount: UInt64
    /// Frames it dropped: malformed, from a sender it does not know, or of an older epoch.
    public var droppedFrameCount: UInt64
    /// From sending the last heartbeat to its reply; nil before the first reply.
    public var roundTrip: Duration?
    /// The `partDigest` of the part that it has loaded; 0 if it has none.
    public var heldPart: UInt64
    /// Bytes of weights that came over the network since it started.
    public var fetchedByteCount: UInt64
    /// Those of `fetchedByteCount` that came from other workers.
    public var fetchedFromWorkersByteCount: UInt64
    /// How far it is with getting its weights together; nil unless it does so.
    public var loading: LoadingProgress?

    public init(
        number: UInt64, memoryUsedByteCount: UInt64, memoryFreeByteCount: UInt64, keyValueTokenCount: Int,
        keyValueTokenCapacity: Int, computedTokenCount: UInt64, droppedFrameCount: UInt64, roundTrip: Duration?,
        heldPart: UInt64 = 0, fetchedByteCount: UInt64 = 0, fetchedFromWorkersByteCount: UInt64 = 0,
        loading: LoadingProgress? = nil
    ) {
        self.number = number
        self.memoryUsedByteCount = memoryUsedByteCount
        self.memoryFreeByteCount = memoryFreeByteCount
        self.keyValueTokenCount = keyValueTokenCount
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.computedTokenCount = computedTokenCount
        self.droppedFrameCount = droppedFrameCount
        self.roundTrip = roundTrip
        self.heldPart = heldPart
        self.fetchedByteCount = fetchedByteCount
        self.fetchedFromWorkersByteCount = fetchedFromWorkersByteCount
        self.loading = loading
    }
}

/// The coordinator heard heartbeat `number`. The worker measures the round trip by it and reports it in its next heartbeat.
public struct HeartbeatReply: Equatable, Sendable {
    public var number: UInt64

    public init(number: UInt64) { self.number = number }
}

/// Which model file is meant, wherever it lies on each machine.
public struct ModelFileReference: Equatable, Sendable {
    /// Where the coordinator has it. A worker that has no file there looks for the same name in its own models folder.
    public var path: String
    public var byteCount: UInt64
    /// SHA-256 of the file's header (everything before the tensor data), 32 bytes: a file of the same name but of
    /// another model is refused.
    public var headerDigest: [UInt8]

    public init(path: String, byteCount: UInt64, headerDigest: [UInt8]) {
        self.path = path
        self.byteCount = byteCount
        self.headerDigest = headerDigest
    }
}

/// A worker has loaded its part and waits for steps.
public struct StageReady: Equatable, Sendable {
    /// Resident bytes of its weights, in kernel layout.
    public var weightsByteCount: UInt64
    public var keyValueTokenCapacity: Int

    public init(weightsByteCount: UInt64, keyValueTokenCapacity: Int) {
        self.weightsByteCount = weightsByteCount
        self.keyValueTokenCapacity = keyValueTokenCapacity
    }
}

/// Something went wrong on a worker. It goes to the coordinator directly, past the stages between.
public struct WorkerFailure: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// The assigned part could not be loaded.
        case loading
        /// One step failed; the worker goes on.
        case step(StepID)
        /// In that step, another rank of its stage did not give its part in time, or one of the next stage took nothing:
        /// the nodes are no longer in step.
        case exchange(StepID, with: NodeID)

        /// The step that failed, if it was one.
        public var step: StepID? {
            switch self {
            case .loading: nil
            case .step(let step), .exchange(let step, _): step
            }
        }
    }

    public var kind: Kind
    /// Place, problem and remedy, for people.
    public var message: String
    /// Whether doing it again can help.
    public var isRetryable: Bool

    public init(kind: Kind, message: String, isRetryable: Bool) {
        self.kind = kind
        self.message = message
        self.isRetryable = isRetryable
    }
}

/// A worker goes away in good order, or is to do so.
public struct Leave: Equatable, Sendable {
    public var reason: String

    public init(reason: String) { self.reason = reason }
}
