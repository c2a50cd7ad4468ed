import ClusterClient
import Foundation
import LocalCluster
import TestSupport
import Testing

/// What should never come, to every port of clusters of real processes. `scripts/fuzz` sends far more of it.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FuzzTests {
    private static let question: FailoverTrial = {
        var options = ChatOptions()
        options.temperature = 0.8
        options.seed = 17
        options.maximumTokenCount = 24
        return FailoverTrial(messages: [ChatMessage(role: "user", content: "Once upon a time")], options: options)
    }()

    private static func fuzz(_ placement: [Int], isEncrypted: Bool) async throws -> FuzzOutcome {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-fuzz-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 2, threadsPerWorker: 1)
        options.placement = placement
        options.sharesMemory = false
        options.logLevel = "critical"
        var fuzzOptions = Fuzz.Options(frameCount: 2000, limit: .seconds(60), clientCount: 1, seed: 5)
        // This is about what a few frames do; what many of them leave behind shows in a longer run.
        fuzzOptions.growthLimit = 512 << 20
        // On a busy machine a worker may be given up and taken back, which this is not about either.
        fuzzOptions.patience = .seconds(60)
        if isEncrypted { fuzzOptions.keys = try options.encrypt(in: folder) }
        let fuzz = Fuzz(fuzzOptions, questions: [question])
        return try await LocalCluster.run(options) { cluster in try await fuzz.run(on: cluster) { _ in } }
    }

    @Test(arguments: [[1, 1], [2]])
    func `a cluster that is sent rubbish drops it, counts it, and goes on answering as before`(placement: [Int])
        async throws
    {
        let outcome = try await Self.fuzz(placement, isEncrypted: false)
        #expect(outcome.problems == [] && outcome.answers.problems == [])
        // HTTP, control, data and weights of the coordinator, and data and weights of each worker.
        #expect(outcome.ports.count == 8)
        #expect(outcome.frameCounts.count == 8 && outcome.statusCounts[400, default: 0] > 0)
        #expect(outcome.answers.equalCount > 0)
    }

    @Test func `with keys, strangers get nothing on any port, and a known node's rubbish does no harm`() async throws {
        let outcome = try await Self.fuzz([1, 1], isEncrypted: true)
        #expect(outcome.problems == [] && outcome.answers.problems == [])
        #expect(outcome.strangerPortCount == 7 && outcome.droppedCounts.count == 3)
        #expect(outcome.answers.equalCount > 0)
    }
}
