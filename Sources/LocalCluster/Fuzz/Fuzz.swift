import ClusterClient
import ClusterCore
import Fuzzing
import Synchronization
import Transport

/// Sends to every port that a cluster on this machine listens on what should never come there, while clients ask for
/// answers that are known: none may differ, no process may end or grow, and who has no key gets nothing.
public final class Fuzz: Sendable {
    public struct Options: Sendable {
        /// Over all ports.
        public var frameCount: Int
        /// After which no more are sent.
        public var limit: Duration
        public var clientCount: Int
        /// Decides what is sent. How much of it each process has read when, is its own affair.
        public var seed: UInt64
        /// If the cluster's links are encrypted.
        public var keys: FuzzKeys?
        /// By how many bytes a process may have grown in the end.
        public var growthLimit: UInt64 = 48 << 20
        /// For how long clients ask again while the cluster says that it is not ready, as on a machine that is too busy for
        /// a worker to take a step within half a second.
        public var patience = Duration.zero

        public init(frameCount: Int, limit: Duration, clientCount: Int, seed: UInt64) {
            (self.frameCount, self.limit, self.clientCount, self.seed) = (frameCount, limit, clientCount, seed)
        }
    }

    private let options: Options
    private let questions: [FailoverTrial]
    private let outcome = Mutex(FuzzOutcome())

    /// - Parameter questions: what clients ask; at least one.
    public init(_ options: Options, questions: [FailoverTrial]) {
        self.options = options
        self.questions = questions
    }

    private static let restLimit = Duration.seconds(60)
    /// Longer than the HTTP server keeps a connection on which nothing comes.
    private static let settlingLimit = Duration.seconds(90)
    private static let shortestSampleInterval = Duration.seconds(2)
    private static let sampleCount = 24
    /// What grows at first are buffers that stay.
    private static let warmUpShare = 4

    /// - Throws: `ClusterClientError`, `LocalClusterError`, or an error of the fuzz's own sockets.
    public func run(
        on cluster: LocalCluster, report: @escaping @Sendable (String) -> Void
    ) async throws -> FuzzOutcome {
        let answers = try await KnownAnswers(to: questions, from: cluster.address, patience: options.patience, report)
        try await cluster.rest(within: Self.restLimit, report)
        let processes = cluster.processes
        let start = ContinuousClock.now
        let first = UsageSample(of: cluster, since: start)
        var lanes = try await lanes(cluster)
        outcome.withLock { outcome in
            outcome.samples.append(first)
            outcome.ports = lanes.map { "\($0.listener.name):\($0.listener.port)" }
        }
        try await checkStrangers(cluster, lanes, report)
        let deadline = ContinuousClock.now + options.limit
        let warmUpCount = options.frameCount / Self.warmUpShare
        try await send(warmUpCount, cluster, &lanes, answers, until: deadline, start, report)
        try await cluster.rest(within: Self.restLimit, report)
        let warm = UsageSample(of: cluster, since: start)
        try await send(options.frameCount - warmUpCount, cluster, &lanes, answers, until: deadline, start, report)
        try await cluster.rest(within: Self.restLimit, report)
        try await askAll(cluster, answers, report)
        let last = try await settled(cluster, first, start)
        let health = try await ClusterClient(cluster.address).health()
        return outcome.withLock { outcome in
            outcome.samples.append(last)
            outcome.compare(first: first, warm: warm, last: last, growthLimit: options.growthLimit)
            outcome.note(dropped: health, listeners: lanes.map(\.listener))
            if cluster.processes != processes { outcome.note("processes were \(processes), are \(cluster.processes)") }
            return outcome
        }
    }

    private func lanes(_ cluster: LocalCluster) async throws -> [FuzzLane] {
        let health = try await ClusterClient(cluster.address).health()
        let nodes = health.nodes.compactMap { NodeID($0.name) }
        let target = HostileMessages.Cluster(
            id: cluster.clusterID, epoch: Epoch(health.epoch), nodes: [.coordinator] + nodes)
        return Listener.all(of: cluster).enumerated().map { index, listener in
            FuzzLane(
                listener, isHTTP: listener.port == cluster.address.port, target, keys: options.keys,
                seed: options.seed &* 1_000_003 &+ UInt64(index))
        }
    }

    private func checkStrangers(
        _ cluster: LocalCluster, _ lanes: [FuzzLane], _ report: (String) -> Void
    ) async throws {
        guard let keys = options.keys else { return }
        let check = StrangerCheck(keys: keys, clusterID: cluster.clusterID)
        let listeners = lanes.filter { !$0.isHTTP }.map(\.listener)
        var problems: [String] = []
        for listener in listeners {
            report("strangers at \(listener.name):\(listener.port) …")
            problems += try await check.problems(at: listener)
            if try await !check.isHeard(at: listener) {
                problems.append("\(listener.name):\(listener.port) does not hear who is on the list")
            }
        }
        try keys.revoke()
        for listener in listeners { problems += try await check.problemsAfterRevocation(at: listener) }
        outcome.withLock { outcome in
            outcome.strangerPortCount = listeners.count
            for problem in problems { outcome.note(problem) }
        }
    }

    private func send(
        _ count: Int, _ cluster: LocalCluster, _ lanes: inout [FuzzLane], _ answers: KnownAnswers,
        until deadline: ContinuousClock.Instant, _ start: ContinuousClock.Instant,
        _ report: @escaping @Sendable (String) -> Void
    ) async throws {
        let end = End()
        let current = lanes
        lanes = try await withThrowingTaskGroup(of: Void.self) { group in
            defer { end.come() }
            for client in 0..<options.clientCount {
                group.addTask { [self] in
                    var seed = options.seed &+ UInt64(client) &* 977
                    while !end.hasCome {
                        // One at a time, so that it ends with the sending.
                        seed &+= 1
                        try await answers.ask(cluster.address, seed: seed, until: .now + .milliseconds(1)) { result in
                            outcome.withLock { $0.answers.note(result) }
                        }
                        // The load is light: the coordinator keeps what it has answered for a while, which is not what
                        // is looked for here.
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
            }
            group.addTask { [self] in
                let interval = max(Self.shortestSampleInterval, options.limit / Self.sampleCount)
                while !end.hasCome {
                    let sample = UsageSample(of: cluster, since: start)
                    outcome.withLock { $0.samples.append(sample) }
                    // Looks more often than it samples, so as not to hold up the end.
                    let next = ContinuousClock.now + interval
                    while ContinuousClock.now < next, !end.hasCome {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                }
            }
            let next = try await sendAll(count, current, until: deadline, report)
            end.come()
            try await group.waitForAll()
            return next
        }
    }

    /// All ports at the same time, each its share. Returns the lanes as they go on.
    private func sendAll(
        _ count: Int, _ lanes: [FuzzLane], until deadline: ContinuousClock.Instant,
        _ report: @escaping @Sendable (String) -> Void
    ) async throws -> [FuzzLane] {
        try await withThrowingTaskGroup(of: (Int, FuzzLane).self) { group in
            for (index, lane) in lanes.enumerated() {
                let share = count / lanes.count + (index < count % lanes.count ? 1 : 0)
                group.addTask { [self] in
                    var lane = lane
                    var left = share
                    while left > 0, ContinuousClock.now < deadline {
                        let round = try await lane.next(limit: left)
                        left -= round.frameCount
                        let total = outcome.withLock { outcome in
                            outcome.note(round, at: lane.listener)
                            return outcome.frameCount
                        }
                        report("\(total) frames …")
                    }
                    return (index, lane)
                }
            }
            var next = lanes
            for try await (index, lane) in group { next[index] = lane }
            return next
        }
    }

    private func askAll(_ cluster: LocalCluster, _ answers: KnownAnswers, _ report: (String) -> Void) async throws {
        for index in questions.indices {
            report("answer \(index + 1) of \(questions.count) afterwards …")
            let difference = try await answers.difference(at: index, on: cluster.address)
            outcome.withLock { $0.answers.note(difference: difference) }
        }
    }

    /// Connections that were left half-open are given up after a while: until then, or not much longer.
    private func settled(
        _ cluster: LocalCluster, _ first: UsageSample, _ start: ContinuousClock.Instant
    ) async throws -> UsageSample {
        let deadline = ContinuousClock.now + Self.settlingLimit
        while true {
            let sample = UsageSample(of: cluster, since: start)
            guard !FuzzOutcome.openMore(first, sample).isEmpty, ContinuousClock.now < deadline else {
                return sample
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}

/// Tells helpers that what they help with is over.
private final class End: Sendable {
    private let flag = Atomic(false)

    var hasCome: Bool { flag.load(ordering: .relaxed) }
    func come() { flag.store(true, ordering: .relaxed) }
}
