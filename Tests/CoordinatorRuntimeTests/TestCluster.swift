import ClusterCore
import CoordinatorRuntime
import Foundation
import Logging
import Testing
import Transport
import WorkerRuntime

/// A coordinator and its workers in this process, over real sockets on loopback.
final class TestCluster {
    let coordinator: Coordinator
    let script = StageScript()
    private let running: Task<Void, any Error>
    private var workers: [String: (worker: Worker, task: Task<Void, any Error>)] = [:]

    static let model = CoordinatedModel(
        name: "fake",
        file: ModelFileReference(path: "/fake", byteCount: 1, headerDigest: [UInt8](repeating: 1, count: 32)),
        layerByteCounts: [UInt64](repeating: 10, count: 6), embeddingByteCount: 1, headByteCount: 1,
        hiddenSize: 2,
        parts: RankParts(
            keyValueHeadCount: 5, feedForwardSize: 1800, vocabularySize: StageScript.vocabularySize),
        vocabularySize: StageScript.vocabularySize, contextLength: 2048)

    static let quiet: Logger = {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return logger
    }()

    /// Runs `body` with a cluster of as many workers as names, and ends it.
    static func run(
        _ names: [String], _ configure: (inout ClusterConfiguration) -> Void = { _ in },
        _ body: (TestCluster) async throws -> Void
    ) async throws {
        var configuration = ClusterConfiguration()
        configuration.controlEndpoint = "tcp://127.0.0.1:0"
        configuration.probeInterval = .milliseconds(500)
        // A cluster that is watched so closely has no time for it.
        configuration.measuresLinks = false
        configure(&configuration)
        if configuration.selection == nil { configuration.workers = .count(max(1, names.count)) }
        let cluster = try TestCluster(configuration)
        do {
            for name in names { try cluster.start(name) }
            try await body(cluster)
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    private init(_ configuration: ClusterConfiguration) throws {
        let coordinator = try Coordinator(configuration: configuration, model: Self.model, logger: Self.quiet)
        self.coordinator = coordinator
        running = Task { try await coordinator.run() }
    }

    func start(_ name: String, cluster: String = "default") throws {
        var configuration = WorkerConfiguration(
            coordinatorEndpoint: coordinator.controlEndpoint, name: try #require(NodeID(name)), cpuModel: "test",
            instructionSet: "portable", threadCount: 1)
        configuration.clusterID = cluster
        let script = script
        let worker = try Worker(configuration: configuration, logger: Self.quiet) {
            assignment, _, _ throws(StageError) in
            if let problem = script.loadProblem { throw problem }
            return FakeStage(assignment, script)
        }
        workers[name] = (worker, Task { try await worker.run() })
    }

    /// Lets a worker leave; what its run ended with.
    func stop(_ name: String) async -> (any Error)? {
        workers[name]?.worker.stop()
        return await outcome(of: name)
    }

    /// Waits for a worker's end; what its run ended with.
    func outcome(of name: String) async -> (any Error)? {
        guard let task = workers.removeValue(forKey: name)?.task else { return nil }
        do {
            try await task.value
            return nil
        } catch {
            return error
        }
    }

    private func end() async {
        script.hold(false)
        for name in workers.keys.sorted() { _ = await stop(name) }
        running.cancel()
        _ = await running.result
    }

    /// Waits until `holds` does, for twenty seconds at most.
    func wait(for what: String, until holds: (ClusterHealth) -> Bool) async throws {
        var last: ClusterHealth?
        for _ in 0..<2000 {
            let health = await coordinator.health()
            if holds(health) { return }
            last = health
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("no \(what) within 20 s; last: \(String(describing: last))")
        throw CancellationError()
    }

    func waitUntilHealthy() async throws { try await wait(for: "health") { $0.state == .healthy } }

    /// The tokens of a request run to its end, and how it ended.
    func tokens(
        _ prompt: [Int32], maximum: Int, stop: [Int32] = []
    ) async throws -> (tokens: [Int32], reason: FinishReason?) {
        let stream = try await coordinator.generate(.of(prompt, maximum: maximum, stop: stop))
        return try await Self.collect(stream)
    }

    static func collect(_ stream: GenerationStream) async throws -> (tokens: [Int32], reason: FinishReason?) {
        var tokens: [Int32] = []
        var reason: FinishReason?
        for try await event in stream {
            switch event {
            case .reused: break
            case .token(let choice): tokens.append(choice.token)
            case .finished(let finish): reason = finish
            }
        }
        return (tokens, reason)
    }

    /// What any cluster must answer.
    static func expected(_ prompt: [Int32], count: Int) -> [Int32] {
        var all = prompt
        for _ in 0..<count { all.append(StageScript.next(after: all)) }
        return Array(all.dropFirst(prompt.count))
    }
}

extension GenerationRequest {
    static func of(_ prompt: [Int32], maximum: Int, stop: [Int32] = []) -> GenerationRequest {
        GenerationRequest(
            id: "test", promptTokens: prompt, maximumTokenCount: maximum,
            sampling: SamplingParameters(temperature: 0), stopTokens: stop)
    }
}
