import Transport

/// Whether a replica may get new requests, from how often it has failed lately.
///
/// closed → open after several failures in a short time; → half-open after a back-off: a request of its own, or the
/// token that is sent through all stages, shows whether it works; → closed if that comes back, → open for twice as long
/// if not. Only what the replica did counts, never what a client sent.
public struct CircuitBreaker: Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// It gets requests.
        case closed
        /// It gets none while another replica can take them.
        case open
        /// One request may try it.
        case halfOpen = "half_open"
    }

    /// So many failures within `window` open it.
    static let failureLimit = 3
    static let window: Duration = .seconds(60)
    /// Doubled each time that it opens again before a whole window has passed without a failure.
    static let firstBackOff: Duration = .seconds(5)
    static let longestBackOff: Duration = .seconds(120)

    private enum Phase: Sendable, Equatable {
        case closed
        case open(until: Instant)
        case halfOpen
    }

    private var phase = Phase.closed
    /// When it failed within the last window, while it is closed.
    private var failures: [Instant] = []
    private var lastFailureAt: Instant?
    /// How often it has opened in a row.
    public private(set) var openingCount = 0

    public init() {}

    public var state: State {
        switch phase {
        case .closed: .closed
        case .open: .open
        case .halfOpen: .halfOpen
        }
    }

    /// When `tick` has something to do next, if nothing else happens: the end of the back-off.
    var nextDeadline: Instant? {
        if case .open(let until) = phase { until } else { nil }
    }

    /// Time has passed.
    mutating func tick(at now: Instant) {
        if let nextDeadline, nextDeadline <= now { phase = .halfOpen }
    }

    /// The replica has failed. The back-off if that opens it.
    mutating func noteFailure(at now: Instant) -> Duration? {
        defer { lastFailureAt = now }
        switch phase {
        case .open: return nil
        case .halfOpen: return open(at: now)
        case .closed:
            if let lastFailureAt, lastFailureAt.duration(to: now) >= Self.window { openingCount = 0 }
            failures.removeAll { $0.duration(to: now) >= Self.window }
            failures.append(now)
            return failures.count >= Self.failureLimit ? open(at: now) : nil
        }
    }

    private mutating func open(at now: Instant) -> Duration {
        failures = []
        let backOff = min(Self.longestBackOff, Self.firstBackOff * (1 << min(openingCount, 10)))
        openingCount += 1
        phase = .open(until: now.advanced(by: backOff))
        return backOff
    }

    /// A token has come back through all stages. True if that closes it.
    mutating func noteSuccess() -> Bool {
        guard phase == .halfOpen else { return false }
        phase = .closed
        return true
    }
}
