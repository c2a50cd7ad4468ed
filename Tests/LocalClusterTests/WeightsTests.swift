import ClusterClient
import ClusterCore
import Foundation
import LocalCluster
import TestSupport
import Testing

/// Clusters of real processes whose workers have no model files, but folders of their own for what they fetch.
@Suite(.serialized, .timeLimit(.minutes(10))) struct WeightsTests {
    private struct Outcome: Equatable {
        var answer: String
        var score: ScoreAnswer
        /// By worker, in order of name.
        var fetchedByteCounts: [UInt64]
    }

    private static func run(
        _ model: String, placement: [Int], home: TemporaryFolder? = nil
    ) async throws -> Outcome {
        var options = LocalClusterOptions(
            modelPath: model, workerCount: placement.reduce(0, +), threadsPerWorker: 1)
        options.placement = placement
        options.logLevel = "error"
        if let home {
            options.weightsOrigin = .fetched
            options.workersFolder = home.path
        }
        return try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var chat = ChatOptions()
            (chat.temperature, chat.seed, chat.maximumTokenCount) = (0.9, 17, 24)
            var answer = ""
            for try await event in client.chatStream(
                [ChatMessage(role: "user", content: "the ant")], options: chat)
            {
                if case .text(let piece) = event { answer += piece }
            }
            let score = try await client.score(.tokens([Int32](100..<140)), top: 2, chunk: 7)
            // Another heartbeat or two.
            try await Task.sleep(for: .seconds(1))
            let nodes = try await client.health().nodes.sorted { $0.name < $1.name }
            return Outcome(answer: answer, score: score, fetchedByteCounts: nodes.map(\.fetchedByteCount))
        }
    }

    @Test(arguments: [[1, 1], [2, 1]])
    func `workers without the model answer the same, and fetch nothing the second time`(placement: [Int]) async throws {
        let path = Fixtures.ryzTinyPath
        let expected = try await Self.run(path, placement: placement)
        #expect(expected.fetchedByteCounts.allSatisfy { $0 == 0 } && !expected.answer.isEmpty)
        let home = try TemporaryFolder()
        let first = try await Self.run(path, placement: placement, home: home)
        #expect((first.answer, first.score) == (expected.answer, expected.score))
        #expect(first.fetchedByteCounts.allSatisfy { $0 > 0 })
        let second = try await Self.run(path, placement: placement, home: home)
        #expect(second == expected)

        // A bit on the disk of the first worker changes: it fetches that chunk anew, and answers the same.
        let shards = "\(home.path)/worker-1/shards"
        let content = try #require(
            FileManager.default.contentsOfDirectory(atPath: shards).first { $0.count == 64 })
        let weights = "\(shards)/\(content)/model/model.safetensors"
        let handle = try #require(FileHandle(forUpdatingAtPath: weights))
        try handle.seek(toOffset: 300_000)
        let byte = try #require(handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: 300_000)
        try handle.write(contentsOf: [byte ^ 16])
        let third = try await Self.run(path, placement: placement, home: home)
        #expect((third.answer, third.score) == (expected.answer, expected.score))
        #expect(third.fetchedByteCounts == [1 << 20] + expected.fetchedByteCounts.dropFirst())
    }

    @Test(arguments: [false, true])
    func `a worker that comes to a part that another one has gets it from that one`(hasKeys: Bool) async throws {
        let home = try TemporaryFolder()
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 1, threadsPerWorker: 1)
        (options.spareCount, options.keepsSparesWarm, options.logLevel) = (1, true, "error")
        (options.weightsOrigin, options.workersFolder) = (.fetched, home.path)
        if hasKeys { _ = try options.encrypt(in: home.path + "/keys") }
        let nodes = try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            while true {
                // The spare loads when the other one serves, and a heartbeat later that is known.
                let nodes = try await client.health().nodes
                let isWarm = nodes.contains { $0.standby?.isWarm == true }
                if isWarm, nodes.allSatisfy({ $0.fetchedByteCount > 0 }) { return nodes }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        let spare = try #require(nodes.first { $0.standby != nil })
        let first = try #require(nodes.first { $0.standby == nil })
        #expect(first.fetchedFromWorkersByteCount == 0)
        #expect(spare.fetchedByteCount == first.fetchedByteCount)
        #expect(spare.fetchedFromWorkersByteCount == spare.fetchedByteCount)
    }
}
