import ClusterClient
import ClusterCore
import LocalCluster
import TestSupport
import Testing

/// Conversations over clusters of real processes: what is reused of a turn changes nothing in the next one.
@Suite(.serialized, .timeLimit(.minutes(10))) struct PrefixReuseTests {
    private static func options(temperature: Double, limit: Int = 40) -> ChatOptions {
        var options = ChatOptions()
        options.temperature = temperature
        options.repetitionPenalty = 1.2
        options.seed = 23
        options.maximumTokenCount = limit
        return options
    }

    private static func answer(
        _ client: ClusterClient, _ messages: [ChatMessage], temperature: Double
    ) async throws -> String {
        var text = ""
        for try await event in client.chatStream(messages, options: options(temperature: temperature)) {
            if case .text(let piece) = event { text += piece }
        }
        return text
    }

    /// The answers of two conversations of three turns, greedy and sampled, and how many tokens were reused for them.
    private static func conversations(
        placement: [Int], reusesPrefixes: Bool
    ) async throws -> (answers: [String], reusedTokenCount: UInt64) {
        var options = LocalClusterOptions(
            modelPath: Fixtures.ryzTinyPath, workerCount: placement.reduce(0, +), threadsPerWorker: 1)
        options.placement = placement
        options.reusesPrefixes = reusesPrefixes
        return try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var answers: [String] = []
            for temperature in [0, 0.8] {
                var messages = [ChatMessage(role: "user", content: String(repeating: "the ant and the bee ", count: 8))]
                for _ in 0..<3 {
                    let text = try await answer(client, messages, temperature: temperature)
                    answers.append(text)
                    messages.append(ChatMessage(role: "assistant", content: text))
                    messages.append(ChatMessage(role: "user", content: "and then the hill"))
                }
            }
            return (answers, try await client.health().reusedTokenCount)
        }
    }

    @Test func `turns of a conversation are the same with and without, for every shape`() async throws {
        let expected = try await Self.conversations(placement: [1], reusesPrefixes: false)
        #expect(expected.reusedTokenCount == 0)
        #expect(Set(expected.answers).count > 2)
        for placement in [[1], [1, 1], [2]] {
            let found = try await Self.conversations(placement: placement, reusesPrefixes: true)
            #expect(found.answers == expected.answers, "\(placement)")
            #expect(found.reusedTokenCount > 200, "\(placement)")
        }
    }

    @Test(arguments: [[1, 1], [2]])
    func `a turn that goes on from the one before is the same when a worker is killed in its middle`(placement: [Int])
        async throws
    {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 2, threadsPerWorker: 1)
        options.placement = placement
        options.spareCount = 2
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var victims = VictimPicker(cluster.address)
            let question = ChatMessage(role: "user", content: String(repeating: "the ant and the bee ", count: 8))
            let trial = FailoverTrial(messages: [question], options: Self.options(temperature: 0.8, limit: 300))
            let undisturbed = try await trial.run(on: cluster.address)
            for pieceIndex in [0, 30] {
                let victim = try await victims.next(within: .seconds(60))
                // What was kept went with the worker before.
                let before = try await trial.run(on: cluster.address)
                #expect(before.answer == undisturbed.answer)
                let reused = try await client.health().reusedTokenCount
                let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(pieceIndex)) {
                    Strike.kill.hit(victim)
                }
                #expect(outcome.answer == undisturbed.answer, "\(victim.name) killed after \(pieceIndex)")
                #expect(try await client.health().reusedTokenCount > reused)
            }
        }
    }
}
