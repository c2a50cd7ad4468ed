import ClusterClient
import ClusterCore
import Foundation
import Glibc
import Kernels
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
        /// Answers that are those of the undisturbed cluster.
        public var equalCount = 0
        /// What differs, and what ended in an error, a few of them in words.
        public var differingCount = 0
        public var failedCount = 0
        public var problems: [String] = []
        /// What the cluster's processes took of the machine before the first strike, at times in between, and when all was
        /// over.
        public var samples: [Sample] = []
        /// All processes that the cluster ever had.
        public var processIDs: Set<Int32> = []

        private static let problemLimit = 8

        fileprivate mutating func note(_ problem: String) {
            if problems.count < Self.problemLimit { problems.append(problem) }
        }
    }

    /// What the processes of a cluster take of their machine at one moment.
    public struct Sample: Sendable, Equatable {
        /// Since the first strike could come.
        public var time: Duration
        /// By name.
        public var processes: [String: ProcessUsage]
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
        var answers: [FailoverTrial.Answer] = []
        for (index, question) in questions.enumerated() {
            report("undisturbed answer \(index + 1) of \(questions.count) …")
            answers.append(try await question.run(on: cluster.address).answer)
        }
        let start = ContinuousClock.now
        let deadline = start + options.duration
        sample(cluster, since: start)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<options.clientCount {
                group.addTask { [self, answers] in try await ask(cluster, client, answers, until: deadline, report) }
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
            try await rest(cluster, report)
        } catch let error where error is LocalClusterError || error is ClusterClientError {
            noteFailure(error)
        }
        sample(cluster, since: start)
        return outcome.withLock(\.self)
    }

    private static let sampleCount = 24
    private static let shortestSampleInterval = Duration.seconds(5)

    private func sample(_ cluster: LocalCluster, since start: ContinuousClock.Instant) {
        let processes = cluster.processes
        let sample = Sample(
            time: start.duration(to: .now), processes: processes.mapValues { ProcessUsage(of: $0) })
        outcome.withLock { outcome in
            outcome.samples.append(sample)
            outcome.processIDs.formUnion(processes.values)
        }
    }

    private func ask(
        _ cluster: LocalCluster, _ client: Int, _ answers: [FailoverTrial.Answer],
        until deadline: ContinuousClock.Instant, _ report: (String) -> Void
    ) async throws {
        var random = SplitMix64(seed: options.seed &+ UInt64(client) &* 977)
        while ContinuousClock.now < deadline {
            let index = Int.random(in: questions.indices, using: &random)
            do {
                let answer = try await questions[index].run(on: cluster.address).answer
                note(answer == answers[index] ? nil : "question \(index): \(answer), not \(answers[index])")
            } catch let error as ClusterClientError {
                noteFailure(error)
                // A cluster that refuses at once is not to be asked in a tight loop.
                try await Task.sleep(for: .milliseconds(200))
            }
            report(outcome.withLock { "\($0.equalCount) answers, \($0.killCount + $0.freezeCount) strikes …" })
        }
    }

    private func note(_ difference: String?) {
        outcome.withLock { outcome in
            guard let difference else {
                outcome.equalCount += 1
                return
            }
            outcome.differingCount += 1
            outcome.note(difference)
        }
    }

    private func noteFailure(_ error: any Error) {
        outcome.withLock { outcome in
            outcome.failedCount += 1
            outcome.note("\(error)")
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
            let isFrozen = Int.random(in: 0..<3, using: &random) == 0
            outcome.withLock { outcome in
                outcome.processIDs.formUnion(cluster.processes.values)
                if isFrozen { outcome.freezeCount += 1 } else { outcome.killCount += 1 }
            }
            guard isFrozen else {
                cluster.send(SIGKILL, to: victim)
                continue
            }
            cluster.send(SIGSTOP, to: victim)
            defer { cluster.send(SIGCONT, to: victim) }
            // Shorter than the time in which that is found out, and longer.
            try await Task.sleep(for: .milliseconds(Int.random(in: 50...4000, using: &random)))
        }
    }

    private func rest(_ cluster: LocalCluster, _ report: (String) -> Void) async throws {
        let client = ClusterClient(cluster.address)
        let deadline = ContinuousClock.now + Self.restLimit
        while true {
            let health = try await client.health()
            if health.state == .healthy, health.runningRequestCount == 0, health.queuedRequestCount == 0 { return }
            report("waiting for the cluster to be healthy and idle: \(health.reason) …")
            guard ContinuousClock.now < deadline else {
                throw LocalClusterError.notReady(
                    afterSeconds: Int(Self.restLimit.components.seconds),
                    reason: "\(health.runningRequestCount) requests run after the last strike; \(health.reason)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    private static let restLimit = Duration.seconds(120)
}

extension Chaos.Outcome {
    /// Processes of the cluster that are still there, to be asked when it has been stopped.
    public var leakedProcessIDs: [Int32] {
        processIDs.filter { id in
            // The number may belong to somebody else by now.
            let name = try? String(contentsOfFile: "/proc/\(id)/comm", encoding: .utf8)
            return name?.hasPrefix("ryz-") ?? false
        }.sorted()
    }
}

/// What a process takes of its machine.
public struct ProcessUsage: Sendable, Equatable {
    /// Bytes in memory.
    public var residentByteCount: UInt64
    public var threadCount: Int
    /// Open files and sockets.
    public var descriptorCount: Int

    /// As /proc has it; zeroes if there is no such process.
    init(of processID: Int32) {
        residentByteCount = Processor.residentByteCount(of: processID)
        let files = FileManager.default
        threadCount = (try? files.contentsOfDirectory(atPath: "/proc/\(processID)/task").count) ?? 0
        descriptorCount = (try? files.contentsOfDirectory(atPath: "/proc/\(processID)/fd").count) ?? 0
    }
}
