import ClusterClient
import ClusterCore
import Foundation
import Glibc
import Synchronization
import Transport

/// Many clients ask a cluster on this machine for answers that are known, while workers are struck at random moments.
public final class Chaos: Sendable {
    public struct Options: Sendable {
        public var duration: Duration
        public var clientCount: Int
        /// From one strike to the next, on average.
        public var interval: Duration
        /// Decides which client asks what, and who is struck how after how long. When that meets what the processes do is
        /// theirs, so a seed does not repeat a run.
        public var seed: UInt64
        /// From one question of a client to its next, at the least.
        public var pace: Duration = .zero
        /// The networks of workers, by their names, whose links may be cut.
        public var networks: [String: WorkerNetwork] = [:]

        public init(duration: Duration, clientCount: Int, interval: Duration, seed: UInt64) {
            self.duration = duration
            self.clientCount = clientCount
            self.interval = interval
            self.seed = seed
        }
    }

    /// What came of it.
    public struct Outcome: Sendable, Equatable {
        public var killCount = 0
        public var freezeCount = 0
        public var linkCutCount = 0
        public var answers = AnswerTally()
        /// What the cluster's processes took of the machine before the first strike, at times in between, and when all was
        /// over.
        public var samples: [UsageSample] = []
        /// All processes that the cluster ever had.
        public var processIDs: Set<Int32> = []
    }

    private let options: Options
    private let questions: [FailoverTrial]
    private let outcome = Mutex(Outcome())

    /// - Parameter questions: what clients ask; at least one.
    public init(_ options: Options, questions: [FailoverTrial]) {
        self.options = options
        self.questions = questions
    }

    /// Strikes and asks until the time is over, then waits until the cluster is at rest.
    ///
    /// - Throws: `ClusterClientError` before the first strike; later errors are counted, also that it does not come to rest.
    public func run(on cluster: LocalCluster, report: @escaping @Sendable (String) -> Void) async throws -> Outcome {
        let answers = try await KnownAnswers(to: questions, from: cluster.address, report)
        let start = ContinuousClock.now
        let deadline = start + options.duration
        sample(cluster, since: start)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<options.clientCount {
                group.addTask { [self] in try await ask(cluster, client, answers, until: deadline, report) }
            }
            group.addTask { [self] in try await strike(cluster, until: deadline) }
            group.addTask { [self] in
                let interval = max(Self.shortestSampleInterval, options.duration / Self.sampleCount)
                while ContinuousClock.now + interval < deadline {
                    try await Task.sleep(for: interval)
                    sample(cluster, since: start)
                }
            }
            try await group.waitForAll()
        }
        do {
            try await cluster.rest(within: Self.restLimit, report)
        } catch let error where error is LocalClusterError || error is ClusterClientError {
            outcome.withLock { $0.answers.note(failure: error) }
        }
        sample(cluster, since: start)
        return outcome.withLock(\.self)
    }

    private static let sampleCount = 24
    private static let shortestSampleInterval = Duration.seconds(5)

    private func sample(_ cluster: LocalCluster, since start: ContinuousClock.Instant) {
        let sample = UsageSample(of: cluster, since: start)
        let processIDs = cluster.processes.values
        outcome.withLock { outcome in
            outcome.samples.append(sample)
            outcome.processIDs.formUnion(processIDs)
        }
    }

    private func ask(
        _ cluster: LocalCluster, _ client: Int, _ answers: KnownAnswers, until deadline: ContinuousClock.Instant,
        _ report: (String) -> Void
    ) async throws {
        let seed = options.seed &+ UInt64(client) &* 977
        try await answers.ask(cluster.address, seed: seed, until: deadline, pace: options.pace) { result in
            let counts = outcome.withLock { outcome in
                outcome.answers.note(result)
                return "\(outcome.answers.equalCount) answers, \(outcome.strikeCount) strikes …"
            }
            report(counts)
        }
    }

    /// Only processes that the cluster has at that moment are struck, and each goes on in the end.
    private func strike(_ cluster: LocalCluster, until deadline: ContinuousClock.Instant) async throws {
        var random = SplitMix64(seed: ~options.seed)
        while true {
            try await Task.sleep(for: options.interval * (2 * Double.random(in: 0..<1, using: &random)))
            guard ContinuousClock.now < deadline else { return }
            let workers = cluster.processes.keys.filter { $0 != LocalCluster.coordinatorName }.sorted()
            guard let victim = workers.randomElement(using: &random) else { continue }
            outcome.withLock { $0.processIDs.formUnion(cluster.processes.values) }
            switch Int.random(in: 0..<(options.networks.isEmpty ? 3 : 6), using: &random) {
            case 0, 3: try await freeze(victim, of: cluster, &random)
            case 1, 2:
                outcome.withLock { $0.killCount += 1 }
                cluster.send(SIGKILL, to: victim)
            default: try await cutLink(of: victim, &random)
            }
        }
    }

    /// Shorter than the time in which that is found out, or longer.
    private func freeze(_ victim: String, of cluster: LocalCluster, _ random: inout SplitMix64) async throws {
        outcome.withLock { $0.freezeCount += 1 }
        cluster.send(SIGSTOP, to: victim)
        defer { cluster.send(SIGCONT, to: victim) }
        try await Task.sleep(for: .milliseconds(Int.random(in: 50...4000, using: &random)))
    }

    /// As when a cable is pulled and plugged in again: the process goes on, and nothing tells it.
    private func cutLink(of victim: String, _ random: inout SplitMix64) async throws {
        guard let network = options.networks[victim] else { return }
        outcome.withLock { $0.linkCutCount += 1 }
        try network.setLink(isUp: false)
        do {
            try await Task.sleep(for: .milliseconds(Int.random(in: 500...6000, using: &random)))
        } catch {
            try network.setLink(isUp: true)
            throw error
        }
        try network.setLink(isUp: true)
    }

    private static let restLimit = Duration.seconds(120)
}

extension Chaos.Outcome {
    var strikeCount: Int { killCount + freezeCount + linkCutCount }

    /// Processes of the cluster that are still there, to be asked when it has been stopped.
    public var leakedProcessIDs: [Int32] {
        processIDs.filter { id in
            // The number may belong to somebody else by now.
            let name = try? String(contentsOfFile: "/proc/\(id)/comm", encoding: .utf8)
            return name?.hasPrefix("ryz-") ?? false
        }.sorted()
    }
}
