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
        options.spareCount = 2
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            var victims = VictimPicker(cluster.address)
            var interruptionCount = 0
            for temperature in [0, 0.8] {
                let trial = Self.trial(temperature: temperature)
                let undisturbed = try await trial.run(on: cluster.address)
                #expect(undisturbed.answer.summary?.completionTokenCount ?? 0 > 60)
                for pieceIndex in [0, 1, 40] {
                    let victim = try await victims.next(within: .seconds(60))
                    let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(pieceIndex)) {
                        Strike.kill.hit(victim)
                    }
                    #expect(outcome.answer == undisturbed.answer, "\(victim.name) killed after \(pieceIndex)")
                    if outcome.pause != nil { interruptionCount += 1 }
                }
            }
            #expect(interruptionCount > 0)
            try await Self.waitForCachesAtRest(cluster.address)
        }
    }

    @Test(arguments: [[1, 1], [2]])
    func `a warm spare takes the place that it covers, and answers are the same`(placement: [Int]) async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 2, threadsPerWorker: 1)
        options.placement = placement
        options.spareCount = 2
        options.keepsSparesWarm = true
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var victims = VictimPicker(cluster.address, needsWarmSpare: true)
            let trial = Self.trial(temperature: 0.8)
            let undisturbed = try await trial.run(on: cluster.address)
            for pieceIndex in [10, 30] {
                let victim = try await victims.next(within: .seconds(60))
                let warm = try await client.health().nodes.filter { node in
                    node.standby.map { $0.isWarm && $0.stage == victim.stage && $0.rank == victim.rank } ?? false
                }
                let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(pieceIndex)) {
                    Strike.kill.hit(victim)
                }
                #expect(outcome.answer == undisturbed.answer, "\(victim.name) killed after \(pieceIndex)")
                let placed = try await client.health().nodes.first {
                    $0.stage == victim.stage && $0.rank == victim.rank
                }
                #expect(outcome.pause == nil || warm.contains { $0.name == placed?.name })
            }
        }
    }

    /// Until workers hold nothing but what is kept for later requests.
    private static func waitForCachesAtRest(_ address: CoordinatorAddress) async throws {
        func isAtRest(_ health: ClusterHealth) -> Bool {
            health.nodes.allSatisfy { $0.keyValueTokenCount == ($0.stage == nil ? 0 : health.keptTokenCount) }
        }
        var health = try await ClusterClient(address).health()
        for _ in 0..<500 where !isAtRest(health) {
            try await Task.sleep(for: .milliseconds(20))
            health = try await ClusterClient(address).health()
        }
        #expect(isAtRest(health))
        #expect(health.runningRequestCount + health.queuedRequestCount == 0)
    }

    @Test func `an answer is the same when the one that takes over is lost as well`() async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 2, threadsPerWorker: 1)
        options.placement = [2]
        options.spareCount = 3
        options.workerLoss = .restarts
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            var victims = VictimPicker(cluster.address)
            let trial = Self.trial(temperature: 0.8)
            let undisturbed = try await trial.run(on: cluster.address)
            for pieceIndex in [10, 30] {
                let victim = try await victims.next(within: .seconds(60))
                let spares = try await client.health().nodes.filter { $0.state == .spare }
                let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(pieceIndex)) {
                    for node in [victim] + spares.prefix(1) { Strike.kill.hit(node) }
                }
                #expect(outcome.answer == undisturbed.answer, "\(victim.name) and a spare killed")
            }
            try await Self.waitForCachesAtRest(cluster.address)
        }
    }

    @Test func `an answer is the same when a worker stands still, which then comes back as a spare`() async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 2, threadsPerWorker: 1)
        options.spareCount = 1
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            var victims = VictimPicker(cluster.address)
            let trial = Self.trial(temperature: 0.8)
            let undisturbed = try await trial.run(on: cluster.address)
            for pieceIndex in [0, 25, 40] {
                // The one that stood still is the only spare there can be.
                let victim = try await victims.next(within: .seconds(60))
                let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(pieceIndex)) {
                    Strike.freeze.hit(victim)
                }
                Strike.freeze.release(victim)
                #expect(outcome.answer == undisturbed.answer, "\(victim.name) frozen after \(pieceIndex)")
            }
        }
    }

    @Test func `those that are left take over, and go on to the same answer`() async throws {
        var options = LocalClusterOptions(modelPath: Fixtures.ryzTinyPath, workerCount: 3, threadsPerWorker: 1)
        options.workerLoss = .isLeft
        options.logLevel = "error"
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            let trial = Self.trial(temperature: 0.8)
            let undisturbed = try await trial.run(on: cluster.address)
            for count in [2, 1] {
                let health = try await client.health()
                let victim = try #require(health.nodes.first { $0.stage == 0 })
                let outcome = try await trial.run(on: cluster.address, strikingAt: .afterPieces(25)) {
                    Strike.kill.hit(victim)
                }
                #expect(outcome.answer == undisturbed.answer, "\(victim.name) of \(count + 1) killed")
                let placed = try await client.health().nodes.filter { $0.stage != nil }
                #expect(outcome.pause == nil || placed.count == count)
            }
        }
    }
}
