public import ClusterClient
public import ClusterCore
import Glibc

/// An answer of a cluster that loses a worker in its middle.
public struct FailoverTrial: Sendable {
    /// What is asked.
    public var messages: [ChatMessage]
    public var options: ChatOptions

    public init(messages: [ChatMessage], options: ChatOptions) {
        self.messages = messages
        self.options = options
    }

    /// What a client gets.
    public struct Answer: Sendable, Equatable {
        public var text: String
        public var summary: ChatSummary?
    }

    public struct Outcome: Sendable {
        public var answer: Answer
        /// From asking to the first piece of text.
        public var firstPieceDelay: Duration
        /// From the strike to the next piece whose token the cluster computed after the loss; nil if the answer was
        /// complete before the loss had an effect.
        public var pause: Duration?
    }

    /// When to strike.
    public enum Moment: Sendable, Equatable {
        /// When so many pieces of text have come.
        case afterPieces(Int)
        /// So long after asking.
        case afterTime(Duration)
    }

    /// Asks, and strikes at that moment.
    ///
    /// - Parameter strike: takes a worker away; without a moment it is not called.
    public func run(
        on address: CoordinatorAddress, strikingAt moment: Moment? = nil, strike: @escaping @Sendable () -> Void = {}
    ) async throws -> Outcome {
        let clock = ContinuousClock()
        let client = ClusterClient(address)
        let epoch = try await client.health().epoch
        let start = clock.now
        async let timedStrike = Self.strike(strike, at: moment)
        var answer = Answer(text: "")
        var arrivals: [ContinuousClock.Instant] = []
        var struckAt: ContinuousClock.Instant?
        for try await event in client.chatStream(messages, options: options) {
            arrivals.append(clock.now)
            switch event {
            case .text(let piece): answer.text += piece
            case .finished(let summary): answer.summary = summary
            }
            if moment == .afterPieces(arrivals.count) {
                strike()
                struckAt = clock.now
            }
        }
        let delay = start.duration(to: arrivals.first ?? clock.now)
        struckAt = try await timedStrike ?? struckAt
        guard let struckAt, try await client.health().epoch > epoch else {
            return Outcome(answer: answer, firstPieceDelay: delay, pause: nil)
        }
        return Outcome(answer: answer, firstPieceDelay: delay, pause: Self.pause(after: struckAt, arrivals))
    }

    /// Strikes where that has to do with the time, not with the answer; when it did.
    private static func strike(_ strike: () -> Void, at moment: Moment?) async throws -> ContinuousClock.Instant? {
        switch moment {
        case .afterTime(let delay): try await Task.sleep(for: delay)
        case .afterPieces(0): break
        case .afterPieces, nil: return nil
        }
        strike()
        return .now
    }

    /// A few pieces may still have been under way: the pause ends with the longest wait that followed.
    private static func pause(
        after struckAt: ContinuousClock.Instant, _ arrivals: [ContinuousClock.Instant]
    ) -> Duration {
        let later = arrivals.filter { $0 > struckAt }
        let waits = zip([struckAt] + later, later).map { (length: $0.duration(to: $1), end: $1) }
        return waits.max { $0.length < $1.length }.map { struckAt.duration(to: $0.end) } ?? .zero
    }
}

/// Picks the workers that a cluster is to lose, all in turn.
public struct VictimPicker: Sendable {
    private let client: ClusterClient
    private let needsWarmSpare: Bool
    private var count = 0

    /// - Parameter needsWarmSpare: only nodes are picked whose part a spare has loaded.
    public init(_ address: CoordinatorAddress, needsWarmSpare: Bool = false) {
        client = ClusterClient(address)
        self.needsWarmSpare = needsWarmSpare
    }

    /// Waits until the cluster is healthy and has a spare for it, and picks the next node that has a part of the model.
    ///
    /// - Throws: `LocalClusterError.notReady` when `timeout` has passed.
    public mutating func next(within timeout: Duration) async throws -> NodeHealth {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while true {
            let health = try await client.health()
            let placed = health.nodes.filter { $0.stage != nil && $0.state == .ready }
            if health.state == .healthy, let victim = inTurn(placed).first(where: { hasSpare(for: $0, health) }) {
                count += 1
                return victim
            }
            guard clock.now < deadline else {
                throw LocalClusterError.notReady(
                    afterSeconds: Int(timeout.components.seconds), reason: "there is no spare; \(health.reason)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension VictimPicker {
    /// The one whose turn it is first.
    private func inTurn(_ nodes: [NodeHealth]) -> [NodeHealth] {
        nodes.indices.map { nodes[(count + 1 + $0) % nodes.count] }
    }

    private func hasSpare(for victim: NodeHealth, _ health: ClusterHealth) -> Bool {
        health.nodes.contains { $0.state == .spare && isFit($0, for: victim) }
    }

    private func isFit(_ spare: NodeHealth, for victim: NodeHealth) -> Bool {
        guard needsWarmSpare else { return true }
        guard let standby = spare.standby, standby.isWarm else { return false }
        return standby.stage == victim.stage && standby.rank == victim.rank
    }
}

/// How a worker is lost.
public enum Strike: String, CaseIterable, Sendable {
    /// Its process ends without a word, as in a crash or when memory runs out.
    case kill
    /// Its process stands still and its connections stay open, as when power or a cable goes.
    case freeze

    /// Does it to a node's process.
    public func hit(_ node: NodeHealth) { send(self == .kill ? SIGKILL : SIGSTOP, to: node) }

    /// Lets a process go on that stands still.
    public func release(_ node: NodeHealth) { if self == .freeze { send(SIGCONT, to: node) } }

    private func send(_ signal: Int32, to node: NodeHealth) { _ = Glibc.kill(node.processID, signal) }
}
