import ClusterClient
import ClusterCore
import LocalCluster
import Synchronization
import TestSupport
import Testing
import Transport

/// What operators do to clusters of real processes in the middle of answers: a client notices a pause at most.
@Suite(.serialized, .timeLimit(.minutes(10))) struct OperationsTests {
    private static let trial: FailoverTrial = {
        var options = ChatOptions()
        options.temperature = 0.8
        options.repetitionPenalty = 1.1
        options.seed = 17
        options.maximumTokenCount = 300
        return FailoverTrial(messages: [ChatMessage(role: "user", content: "Once upon a time")], options: options)
    }()

    private static func options(workers: Int, spares: Int = 0) -> LocalClusterOptions {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: workers, threadsPerWorker: 1)
        options.spareCount = spares
        options.workerLoss = .restarts
        options.logLevel = "error"
        return options
    }

    /// Waits until the cluster's health is as it should be.
    private static func wait(
        _ client: ClusterClient, until isReached: (ClusterHealth) -> Bool
    ) async throws -> ClusterHealth {
        for _ in 0..<1500 {
            let health = try await client.health()
            if isReached(health) { return health }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw LocalClusterError.notReady(afterSeconds: 30, reason: "\(try await client.health())")
    }

    private static func node(_ name: String) throws -> NodeID { try #require(NodeID(name)) }

    /// Asks, and begins the operation when so many pieces have come.
    private static func answer(
        _ client: ClusterClient, _ operation: ClusterOperation, afterPieces count: Int
    ) async throws -> FailoverTrial.Outcome {
        let task = Mutex<Task<Void, any Error>?>(nil)
        let outcome = try await trial.run(on: client.address, strikingAt: .afterPieces(count)) {
            task.withLock { $0 = Task { try await client.operate(operation) } }
        }
        try await task.withLock { $0 }?.value
        return outcome
    }

    @Test func `an answer is the same when its workers are drained one after the other`() async throws {
        try await LocalCluster.run(Self.options(workers: 2, spares: 1)) { cluster in
            let client = ClusterClient(cluster.address)
            let undisturbed = try await Self.trial.run(on: cluster.address)
            for count in [5, 20, 40] {
                let placed = try await Self.wait(client) { health in
                    health.state == .healthy && health.nodes.contains { $0.state == .spare }
                }
                let name = try #require(placed.nodes.first { $0.stage == count % 2 }?.name)
                let outcome = try await Self.answer(
                    client, .drain(try Self.node(name), isForced: false), afterPieces: count)
                #expect(outcome.answer == undisturbed.answer, "\(name) drained after \(count)")
                let drained = try await Self.wait(client) { health in
                    health.nodes.contains { $0.name == name && $0.state == .drained }
                }
                let node = try #require(drained.nodes.first { $0.name == name })
                #expect(node.stage == nil && node.keyValueTokenCapacity == 0)
                try await client.operate(.resume(try Self.node(name)))
            }
        }
    }

    @Test func `those that are left take over from a drained worker, which stays drained when it is started anew`()
        async throws
    {
        try await LocalCluster.run(Self.options(workers: 2)) { cluster in
            let client = ClusterClient(cluster.address)
            let undisturbed = try await Self.trial.run(on: cluster.address)
            let drain = ClusterOperation.drain(try Self.node("worker-1"), isForced: false)
            let outcome = try await Self.answer(client, drain, afterPieces: 20)
            #expect(outcome.answer == undisturbed.answer)
            let drained = try await Self.wait(client) { $0.nodes[0].state == .drained && $0.nodes[1].state == .ready }
            // Nobody is left for the other one.
            await #expect(throws: ClusterClientError.self) {
                try await client.operate(.drain(try Self.node("worker-2"), isForced: false))
            }
            Strike.kill.hit(drained.nodes[0])
            _ = try await Self.wait(client) { health in
                health.nodes[0].state == .drained && health.nodes[0].processID != drained.nodes[0].processID
            }
            #expect(try await Self.trial.run(on: cluster.address).answer == undisturbed.answer)
            try await client.operate(.resume(try Self.node("worker-1")))
            // By itself, as nothing runs.
            _ = try await Self.wait(client) { $0.state == .healthy && $0.nodes.allSatisfy { $0.stage != nil } }
            #expect(try await Self.trial.run(on: cluster.address).answer == undisturbed.answer)
        }
    }

    @Test func `a shutdown lets an answer end, and then all processes`() async throws {
        let texts = Mutex<[String]>([])
        await #expect(throws: LocalClusterError.shutDown) {
            try await LocalCluster.run(Self.options(workers: 2)) { cluster in
                let client = ClusterClient(cluster.address)
                texts.withLock { $0 = ["", ""] }
                for round in 0...1 {
                    var pieceCount = 0
                    for try await case .text(let piece) in client.chatStream(
                        Self.trial.messages, options: Self.trial.options)
                    {
                        texts.withLock { $0[round] += piece }
                        pieceCount += 1
                        if round == 1, pieceCount == 20 { try await client.operate(.shutDown) }
                    }
                }
                while true { try await Task.sleep(for: .seconds(60)) }
            }
        }
        let (undisturbed, last) = texts.withLock { ($0.first, $0.last) }
        #expect(undisturbed?.isEmpty == false && undisturbed == last)
    }
}
