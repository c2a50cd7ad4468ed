import ClusterClient
import ClusterCore
import Foundation
import LocalCluster
import TestSupport
import Testing

/// Clusters of real processes on this machine: whatever their shape, they answer with the same bits.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ClusterEqualityTests {
    /// What a cluster says to a scored text, a greedy chat and a sampled one.
    private struct Answers: Equatable {
        var score: ScoreAnswer
        var greedy: String
        var sampled: String
    }

    private static func answers(
        of model: String, workers: Int, threads: Int, chunk: Int, tokens: [Int32]
    ) async throws -> Answers {
        let options = LocalClusterOptions(modelPath: model, workerCount: workers, threadsPerWorker: threads)
        return try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            let health = try await client.health()
            #expect(health.nodes.count == workers)
            #expect(health.nodes.allSatisfy { $0.state == .ready })
            return Answers(
                score: try await client.score(.tokens(tokens), top: 3, chunk: chunk),
                greedy: try await chat(client, temperature: 0), sampled: try await chat(client, temperature: 0.9))
        }
    }

    private static func chat(_ client: ClusterClient, temperature: Double) async throws -> String {
        var options = ChatOptions()
        options.temperature = temperature
        options.seed = 17
        options.maximumTokenCount = 24
        var text = ""
        for try await event in client.chatStream([ChatMessage(role: "user", content: "the ant")], options: options) {
            switch event {
            case .text(let piece): text += piece
            case .finished(let summary):
                #expect(summary.completionTokenCount > 0 && summary.completionTokenCount <= 24)
            }
        }
        return text
    }

    @Test func `workers, threads and chunks change nothing`() async throws {
        var tiny = TinyLlama()
        tiny.layerCount = 5
        tiny.chatTemplate = "{% for message in messages %}{{ message.content }}{% endfor %}"
        let file = try tiny.builder().write()
        var random = SeededGenerator(seed: 5)
        let tokens = (0..<70).map { _ in Int32.random(in: 0..<256, using: &random) }
        let expected = try await Self.answers(of: file.path, workers: 1, threads: 1, chunk: 512, tokens: tokens)
        #expect(expected.score.nextLogProbabilities.count == 69)
        for (workers, threads, chunk) in [(2, 2, 7), (3, 1, 1), (5, 1, 64)] {
            let answers = try await Self.answers(
                of: file.path, workers: workers, threads: threads, chunk: chunk, tokens: tokens)
            #expect(answers == expected, "\(workers) workers, \(threads) threads, chunks of \(chunk)")
        }
        withExtendedLifetime(file) {}
    }

    @Test(.enabled(if: Fixtures.hasSmolLM2, "SmolLM2 has not been fetched: scripts/fetch-model smollm2"))
    func `a real model answers the same from one worker and from three`() async throws {
        let tokens = [Int32](1000..<1040)
        let expected = try await Self.answers(
            of: Fixtures.smolLM2Path, workers: 1, threads: 2, chunk: 512, tokens: tokens)
        #expect(!expected.greedy.isEmpty)
        let answers = try await Self.answers(
            of: Fixtures.smolLM2Path, workers: 3, threads: 1, chunk: 7, tokens: tokens)
        #expect(answers == expected)
    }
}
