import ClusterClient
import ClusterCore
import LocalCluster
import TestSupport
import Testing

/// Clusters of real processes that lose a worker in the middle of an answer: a client gets what it would have got.
@Suite(.serialized, .timeLimit(.minutes(10))) struct FailoverTests {
    private static func trial(temperature: Double) -> FailoverTrial {
        var options = ChatOptions()
        options.temperature = temperature
        options.repetitionPenalty = temperature > 0 ? 1.1 : nil
        options.seed = 17
        options.maximumTokenCount = 300
        return FailoverTrial(messages: [ChatMessage(role: "user", content: "Once upon a time")], options: options)
    }

    @Test(arguments: [[1, 1], [2], [2, 1]])
    func `an answer is the same when a worker is killed in its middle and a spare takes over`(placement: [Int])
        async throws
    {
        var options = LocalClusterOptions(
            modelPath: Fixtures.ryzTinyPath, workerCount: placement.reduce(0, +), threadsPerWorker: 1)
        options.placement = placement
        options.spareCount = 1
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            var victims = VictimPicker(cluster.address)
            var interruptionCount = 0
            for temperature in [0, 0.8] {
                let trial = Self.trial(temperature: temperature)
                let undisturbed = try await trial.run(on: cluster.address)
                #expect(undisturbed.answer.summary?.completionTokenCount ?? 0 > 60)
                for pieceIndex in [0, 1, 25, 60] {
                    let victim = try await victims.next(within: .seconds(60))
                    let outcome = try await trial.run(on: cluster.address, pieceIndex: pieceIndex) {
                        Strike.kill(victim)
                    }
                    #expect(outcome.answer == undisturbed.answer, "\(victim.name) killed after \(outcome.pieceCount)")
                    if outcome.pause != nil { interruptionCount += 1 }
                }
            }
            #expect(interruptionCount > 0)
        }
    }
}
