import ClusterClient
import ClusterCore
import LocalCluster
import TestSupport
import Testing

/// Clusters of real processes that hold the model twice.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ReplicaTests {
    private static func trial(_ index: Int) -> FailoverTrial {
        var options = ChatOptions()
        options.temperature = index % 2 == 0 ? 0.8 : 0
        options.seed = UInt64(index)
        options.maximumTokenCount = 300
        let names = ["a fox", "the sea", "two clocks", "rain"]
        return FailoverTrial(
            messages: [ChatMessage(role: "user", content: "Tell me of \(names[index])")], options: options)
    }

    @Test func `streams of a replica whose worker is killed go on at the other one, and are the same`() async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 1, threadsPerWorker: 1)
        options.replicaCount = 2
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var undisturbed: [FailoverTrial.Answer] = []
            for index in 0..<4 { undisturbed.append(try await Self.trial(index).run(on: cluster.address).answer) }
            for struck in 0..<2 {
                let before = try await client.health()
                #expect(before.replicas.map(\.state) == [.serving, .serving])
                let victim = try #require(before.nodes.first { $0.replica == struck && $0.stage != nil })
                let answers = try await withThrowingTaskGroup(of: (Int, FailoverTrial.Answer).self) { group in
                    for index in 1..<4 {
                        group.addTask { (index, try await Self.trial(index).run(on: cluster.address).answer) }
                    }
                    group.addTask {
                        let outcome = try await Self.trial(0).run(on: cluster.address, strikingAt: .afterPieces(20)) {
                            Strike.kill.hit(victim)
                        }
                        return (0, outcome.answer)
                    }
                    var answers: [Int: FailoverTrial.Answer] = [:]
                    for try await (index, answer) in group { answers[index] = answer }
                    return answers
                }
                for index in 0..<4 { #expect(answers[index] == undisturbed[index], "stream \(index)") }
                let epoch = try #require(before.replicas[struck].epoch)
                let after = try await Self.health(client) { health in
                    health.state == .healthy && health.replicas[struck].epoch ?? 0 > epoch
                }
                // The other one was not touched.
                #expect(after.replicas[1 - struck].epoch == before.replicas[1 - struck].epoch)
                #expect(after.runningRequestCount + after.queuedRequestCount == 0)
            }
        }
    }

    @Test func `requests that come at the same time go to both replicas`() async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 1, threadsPerWorker: 1)
        options.replicaCount = 2
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<4 { group.addTask { _ = try await Self.trial(index).run(on: cluster.address) } }
                try await group.waitForAll()
            }
            // Each keeps the keys and values of what it has computed, which a probe's single token is not.
            _ = try await Self.health(ClusterClient(cluster.address)) { health in
                (0..<2).allSatisfy { replica in
                    health.nodes.contains { $0.replica == replica && $0.keyValueTokenCount > 16 }
                }
            }
        }
    }

    /// Asks until it is as wanted.
    private static func health(
        _ client: ClusterClient, until isWanted: (ClusterHealth) -> Bool
    ) async throws -> ClusterHealth {
        var health = try await client.health()
        for _ in 0..<3000 where !isWanted(health) {
            try await Task.sleep(for: .milliseconds(10))
            health = try await client.health()
        }
        #expect(isWanted(health), "\(health.reason)")
        return health
    }
}
