/// The coordinator asks a worker to measure.
public struct MeasurementOrder: Equatable, Sendable {
    public enum Task: Equatable, Sendable {
        /// Its own kernels, anew.
        case node
        /// The link to this worker, which is told to answer.
        case link(Peer)
        /// To answer what this worker sends to measure the link.
        case answering(Peer)
    }

    /// Grows with each order; comes back in the report, and in every probe.
    public var number: UInt64
    public var task: Task

    public init(number: UInt64, task: Task) {
        self.number = number
        self.task = task
    }
}

/// What a worker has measured.
public struct MeasurementReport: Equatable, Sendable {
    public enum Result: Equatable, Sendable {
        case node(NodeRates)
        case link(MeasuredLink, to: NodeID)
        /// It answers now, for a few seconds.
        case answering
        /// It could not be measured; place, problem and remedy, for people.
        case problem(String)
    }

    /// That of the order; 0 for what a worker measured by itself when it joined.
    public var number: UInt64
    public var result: Result

    public init(number: UInt64, result: Result) {
        self.number = number
        self.result = result
    }
}

/// What two workers send each other to measure their link; the bytes ride as one raw frame behind it.
public struct LinkProbe: Equatable, Sendable {
    public enum Kind: Equatable, Sendable, CaseIterable {
        /// To be sent back as it is.
        case ping
        case pong
        /// One of several that follow each other; only the last is answered, without bytes.
        case burst
        case burstEnd
        /// There is memory to share under a name that follows from the order; what follows goes through it, in lockstep.
        case memory
        /// There is nothing more to answer.
        case end
    }

    /// The number of the order.
    public var order: UInt64
    public var kind: Kind
    /// Counts the pings and bursts of an order; the answer has the same.
    public var round: UInt32

    public init(order: UInt64, kind: Kind, round: UInt32) {
        self.order = order
        self.kind = kind
        self.round = round
    }
}
