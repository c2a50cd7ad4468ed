public import ClusterClient
import ClusterCore
import Foundation
import Glibc
import Kernels
import Synchronization

/// A whole cluster on this machine, of child processes: a coordinator and its workers.
public final class LocalCluster: Sendable {
    /// Where the coordinator speaks HTTP.
    public let address: CoordinatorAddress

    /// Where workers connect.
    let controlEndpoint: String
    let clusterID: String

    private let children: Children

    private init(_ announcement: CoordinatorAnnouncement, clusterID: String, children: Children) {
        (address, controlEndpoint) = (announcement.http, announcement.controlEndpoint)
        self.clusterID = clusterID
        self.children = children
    }

    static let coordinatorName = "ryz-coord"

    /// The processes that run, by name.
    var processes: [String: Int32] {
        Dictionary(children.all.filter(\.isRunning).map { ($0.name, $0.processID) }) { $1 }
    }

    /// Starts a cluster, waits until it is ready, runs `body`, and stops it however that ends.
    ///
    /// - Parameters:
    ///   - report: is told in words what is being waited for.
    ///   - notice: is told in words what becomes of a worker that has ended.
    ///   - body: is cancelled when the coordinator ends early, or a worker that the cluster ends with.
    /// - Throws: `LocalClusterError`, `ClusterClientError`, what `body` throws, or `CancellationError`.
    public static func run<Result: Sendable>(
        _ options: LocalClusterOptions, report: @escaping @Sendable (String) -> Void = { _ in },
        notice: @escaping @Sendable (String) -> Void = { _ in },
        body: @escaping @Sendable (LocalCluster) async throws -> Result
    ) async throws -> Result {
        let children = Children(stopTimeout: options.stopTimeout)
        let workers = WorkerSupervision(options.workerLoss, notice: notice)
        do {
            let result = try await withThrowingTaskGroup(of: Result?.self) { group in
                group.addTask {
                    let cluster = try await start(options, children: children, workers: workers, report: report)
                    workers.noteReady()
                    return try await body(cluster)
                }
                group.addTask {
                    try await workers.watch(children)
                    return nil
                }
                defer { group.cancelAll() }
                while let next = try await group.next() { if let next { return next } }
                throw CancellationError()
            }
            await children.stop()
            return result
        } catch {
            await children.stop()
            throw error
        }
    }

    /// Sends a signal to a process that runs; others are left alone.
    func send(_ signal: Int32, to name: String) {
        for child in children.all where child.name == name { child.send(signal) }
    }

    private static func start(
        _ options: LocalClusterOptions, children: Children, workers: WorkerSupervision,
        report: @Sendable (String) -> Void
    ) async throws -> LocalCluster {
        let coordinatorProgram = try Programs.path("ryz-coord", in: options.programsFolder)
        let workerProgram = try Programs.path("ryz-worker", in: options.programsFolder)
        report("ryz-coord starting …")
        let output = Pipe()
        try children.start(
            name: coordinatorName, program: coordinatorProgram, arguments: options.coordinatorArguments(),
            output: .pipe(output))
        let announcement = try await announcement(from: output, timeout: options.startTimeout)
        let client = ClusterClient(announcement.http)
        let clusterID = try await client.health().clusterID
        let cpus = CPUAssignment.roundRobin(
            cores: Processor.topology.cores, workerCount: options.processCount,
            threadsPerWorker: options.threadsPerWorker)
        for (index, cpus) in cpus.enumerated() {
            let name = options.workerName(index: index)
            try workers.start(name) { () throws(LocalClusterError) in
                let arguments = options.workerArguments(
                    index: index, controlEndpoint: announcement.controlEndpoint, clusterID: clusterID, cpus: cpus)
                let launch = [workerProgram] + arguments
                let command = options.network(index: index)?.entering(launch) ?? launch
                try children.start(
                    name: name, program: command[0], arguments: Array(command.dropFirst()),
                    environment: options.workerEnvironment(index: index))
            }
        }
        try await waitUntilReady(client, workerCount: options.processCount, timeout: options.readyTimeout, report)
        return LocalCluster(announcement, clusterID: clusterID, children: children)
    }

    private static func announcement(from output: Pipe, timeout: Duration) async throws -> CoordinatorAnnouncement {
        try await withThrowingTaskGroup(of: String?.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                await FirstLine.read(from: output, maximumByteCount: CoordinatorAnnouncement.maximumByteCount)
            }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            guard let line = try await group.next() ?? nil else {
                // A coordinator that has ended is reported by whoever watches it.
                try await Task.sleep(for: .seconds(1))
                throw LocalClusterError.noAddress(afterSeconds: Int(timeout.components.seconds))
            }
            return try CoordinatorAnnouncement(line: line)
        }
    }

    private static func waitUntilReady(
        _ client: ClusterClient, workerCount: Int, timeout: Duration, _ report: @Sendable (String) -> Void
    ) async throws {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        var failures = StartFailures()
        while true {
            let health = try await client.health()
            if health.state == .healthy, health.nodes.count >= workerCount { return }
            if let failed = failures.final(of: health.nodes) {
                throw LocalClusterError.startFailed(worker: failed.name, reason: failed.detail)
            }
            report(LocalCluster.progress(of: health, workerCount: workerCount))
            guard clock.now < deadline else {
                throw LocalClusterError.notReady(
                    afterSeconds: Int(timeout.components.seconds), reason: health.reason)
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
