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
        /// Pieces of text that had come when the worker was struck.
        public var pieceCount: Int
        /// From then to the next piece whose token the cluster computed afterwards; nil if the answer was complete before
        /// the loss had an effect.
        public var pause: Duration?
    }

    /// Asks, and strikes once `pieceIndex` pieces of text have come.
    ///
    /// - Parameter strike: takes a worker away; nil asks undisturbed.
    public func run(
        on address: CoordinatorAddress, pieceIndex: Int = 0, strike: (() -> Void)? = nil
    ) async throws -> Outcome {
        let clock = ContinuousClock()
        let client = ClusterClient(address)
        let epoch = try await client.health().epoch
        var answer = Answer(text: "")
        var pieceCount = 0
        var struckAt: ContinuousClock.Instant?
        var arrivals: [ContinuousClock.Instant] = []
        func strikeOnce() {
            guard struckAt == nil, pieceCount >= pieceIndex, let strike else { return }
            strike()
            struckAt = clock.now
        }
        let stream = client.chatStream(messages, options: options)
        if pieceIndex == 0 { strikeOnce() }
        for try await event in stream {
            switch event {
            case .text(let piece):
                answer.text += piece
                if struckAt != nil { arrivals.append(clock.now) } else { pieceCount += 1 }
                strikeOnce()
            case .finished(let summary):
                answer.summary = summary
                if struckAt != nil { arrivals.append(clock.now) }
            }
        }
        guard let struckAt, try await client.health().epoch > epoch else {
            return Outcome(answer: answer, pieceCount: pieceCount, pause: nil)
        }
        // A few pieces may still have been under way; the pause is the longest wait that followed.
        var pause = Duration.zero
        var before = struckAt
        var resumedAt = struckAt
        for arrival in arrivals {
            if before.duration(to: arrival) > pause { (pause, resumedAt) = (before.duration(to: arrival), arrival) }
            before = arrival
        }
        return Outcome(answer: answer, pieceCount: pieceCount, pause: struckAt.duration(to: resumedAt))
    }
}

/// Picks the workers that a cluster is to lose, all in turn.
public struct VictimPicker: Sendable {
    private let client: ClusterClient
    private var count = 0

    public init(_ address: CoordinatorAddress) { client = ClusterClient(address) }

    /// Waits until the cluster is healthy and has a spare, and picks the next node that has a part of the model.
    ///
    /// - Throws: `LocalClusterError.notReady` when `timeout` has passed.
    public mutating func next(within timeout: Duration) async throws -> NodeHealth {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while true {
            let health = try await client.health()
            let placed = health.nodes.filter { $0.stage != nil && $0.state == .ready }
            if health.state == .healthy, health.nodes.contains(where: { $0.state == .spare }), !placed.isEmpty {
                count += 1
                return placed[count % placed.count]
            }
            guard clock.now < deadline else {
                throw LocalClusterError.notReady(
                    afterSeconds: Int(timeout.components.seconds), reason: "there is no spare; \(health.reason)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
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
