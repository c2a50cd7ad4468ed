import ClusterClient
import ClusterCore
import Foundation
import Kernels
import LocalCluster
import TestSupport
import Testing
import Transport

/// Clusters of real processes on this machine: whatever their shape, they answer with the same bits.
@Suite(.serialized, .timeLimit(.minutes(10))) struct ClusterEqualityTests {
    /// What a cluster says to a scored text, a greedy chat and a sampled one.
    private struct Answers: Equatable {
        var score: ScoreAnswer
        var greedy: String
        var sampled: String
    }

    private static func answers(
        of model: String, workers: Int, threads: Int, chunk: Int, tokens: [Int32], layout: TernaryLayout? = nil,
        head: HeadPrecision? = nil, placement: [Int]? = nil, sharesMemory: Bool = true, grid: ActivationGrid = .exact
    ) async throws -> Answers {
        var options = LocalClusterOptions(modelPath: model, workerCount: workers, threadsPerWorker: threads)
        options.ternaryLayout = layout
        options.headPrecision = head
        options.placement = placement
        options.sharesMemory = sharesMemory
        options.activationGrid = grid
        // One kind of machine beside another.
        if placement != nil { options.instructionSets = InstructionSet.allCases.filter { $0 <= .best }.reversed() }
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

    @Test func `a ternary model answers the same in every layout and shape`() async throws {
        var random = SeededGenerator(seed: 6)
        let tokens = (0..<70).map { _ in Int32.random(in: 0..<1024, using: &random) }
        let path = Fixtures.ryzTinyPath
        let expected = try await Self.answers(
            of: path, workers: 1, threads: 1, chunk: 512, tokens: tokens, layout: .twoBits)
        #expect(expected.score.nextLogProbabilities.count == 69)
        #expect(!expected.greedy.isEmpty)
        let shapes = [(1, 2, 7), (2, 1, 64), (2, 2, 7), (3, 1, 1), (3, 2, 20)]
        for layout in TernaryLayout.allCases {
            for (workers, threads, chunk) in shapes {
                let answers = try await Self.answers(
                    of: path, workers: workers, threads: threads, chunk: chunk, tokens: tokens, layout: layout)
                #expect(
                    answers == expected, "\(workers) workers, \(threads) threads, chunks of \(chunk), \(layout)")
            }
        }
        let eightBit = try await Self.answers(
            of: path, workers: 1, threads: 2, chunk: 512, tokens: tokens, head: .eightBit)
        #expect(eightBit.score.logitsSHA256 != expected.score.logitsSHA256)
        let spread = try await Self.answers(
            of: path, workers: 3, threads: 1, chunk: 7, tokens: tokens, head: .eightBit)
        #expect(spread == eightBit)
    }

    @Test func `ranks that share stages answer the same, through shared memory and over sockets`() async throws {
        var random = SeededGenerator(seed: 7)
        let tokens = (0..<70).map { _ in Int32.random(in: 0..<1024, using: &random) }
        let path = Fixtures.ryzTinyPath
        let expected = try await Self.answers(of: path, workers: 1, threads: 1, chunk: 512, tokens: tokens)
        let clusters = [([3], true, 512), ([2, 1, 3], true, 7), ([2], false, 20), ([1, 3], false, 64)]
        for (placement, sharesMemory, chunk) in clusters {
            let answers = try await Self.answers(
                of: path, workers: placement.reduce(0, +), threads: 1, chunk: chunk, tokens: tokens,
                placement: placement, sharesMemory: sharesMemory)
            #expect(answers == expected, "placement \(placement), shared memory: \(sharesMemory)")
        }
    }

    @Test func `ranks that need not agree on a grid answer the same`() async throws {
        var random = SeededGenerator(seed: 8)
        let tokens = (0..<70).map { _ in Int32.random(in: 0..<1024, using: &random) }
        let path = Fixtures.ryzTinyPath
        let expected = try await Self.answers(
            of: path, workers: 1, threads: 2, chunk: 512, tokens: tokens, grid: .segment)
        for (placement, sharesMemory, chunk) in [([2, 3], true, 7), ([3], false, 64)] {
            let answers = try await Self.answers(
                of: path, workers: placement.reduce(0, +), threads: 1, chunk: chunk, tokens: tokens,
                placement: placement, sharesMemory: sharesMemory, grid: .segment)
            #expect(answers == expected, "placement \(placement), shared memory: \(sharesMemory)")
        }
    }

    @Test(.enabled(if: Fixtures.hasSmolLM2, "SmolLM2 has not been fetched: scripts/fetch-model smollm2"))
    func `a real model answers the same from one worker and from three, behind each other or side by side`()
        async throws
    {
        let tokens = [Int32](1000..<1040)
        let expected = try await Self.answers(
            of: Fixtures.smolLM2Path, workers: 1, threads: 2, chunk: 512, tokens: tokens)
        #expect(!expected.greedy.isEmpty)
        let answers = try await Self.answers(
            of: Fixtures.smolLM2Path, workers: 3, threads: 1, chunk: 7, tokens: tokens)
        #expect(answers == expected)
        let shared = try await Self.answers(
            of: Fixtures.smolLM2Path, workers: 3, threads: 1, chunk: 512, tokens: tokens, placement: [3])
        #expect(shared == expected)
    }
}
