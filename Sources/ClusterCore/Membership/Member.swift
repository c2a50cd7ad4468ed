import Transport

/// One worker as membership knows it.
public struct Member: Sendable, Equatable {
    /// What a live worker is doing.
    public enum Phase: Sendable, Equatable {
        /// Taken in, without a part of the model.
        case joining
        /// Has been assigned a part and loads it.
        case loading
        /// Has loaded its part.
        case ready
    }

    public enum State: Sendable, Equatable {
        case live(Phase)
        /// Silent for a good part of the detection bound; still counted on.
        case suspect(Phase)
        /// Silent for the whole detection bound, or replaced by a new process of the same name.
        case lost
        /// Went in good order.
        case left
    }

    public let node: NodeID
    public internal(set) var hello: Hello
    public internal(set) var state: State
    /// What is wrong with it, such as a load error or why it left; empty if nothing is.
    public internal(set) var detail: String
    /// When it joined; a return after a loss is a new join.
    public internal(set) var joinedAt: Instant
    /// When anything was last heard of it.
    public internal(set) var lastHeard: Instant
    public internal(set) var lastHeartbeat: Heartbeat?
    /// Order of joining, unique in the cluster.
    public internal(set) var joinNumber: UInt64
    var computedTokens: [Sample] = []

    struct Sample: Sendable, Equatable {
        var at: Instant
        var tokenCount: UInt64
    }

    init(node: NodeID, hello: Hello, joinNumber: UInt64, at now: Instant) {
        self.node = node
        self.hello = hello
        self.joinNumber = joinNumber
        state = .live(.joining)
        detail = ""
        joinedAt = now
        lastHeard = now
    }

    /// Whether it takes part: live or suspect.
    public var isPresent: Bool {
        switch state {
        case .live, .suspect: true
        case .lost, .left: false
        }
    }

    /// What it is doing, if it is present.
    public var phase: Phase? {
        switch state {
        case .live(let phase), .suspect(let phase): phase
        case .lost, .left: nil
        }
    }

    /// Memory that a part of the model can take: what is free, and what its process has now; nil if it does not say.
    public var availableByteCount: UInt64? {
        let free = lastHeartbeat?.memoryFreeByteCount ?? hello.memoryFreeByteCount
        guard free > 0 else { return nil }
        let sum = free.addingReportingOverflow(lastHeartbeat?.memoryUsedByteCount ?? 0)
        return sum.overflow ? .max : sum.partialValue
    }

    mutating func note(_ heartbeat: Heartbeat, at now: Instant) {
        lastHeartbeat = heartbeat
        computedTokens.append(Sample(at: now, tokenCount: heartbeat.computedTokenCount))
        let horizon = now.advanced(by: .seconds(-10))
        while computedTokens.count > 2, computedTokens[0].at < horizon || computedTokens.count > 64 {
            computedTokens.removeFirst()
        }
    }

    /// Tokens that it computed per second over its last heartbeats, about ten seconds.
    public var tokensPerSecond: Double {
        guard let first = computedTokens.first, let last = computedTokens.last, first.at < last.at,
            last.tokenCount >= first.tokenCount
        else { return 0 }
        return Double(last.tokenCount - first.tokenCount) / first.at.duration(to: last.at).secondCount
    }
}
