import ClusterCore
import Simulation
import Testing

@Suite struct SimulationTests {
    @Test func `a seed gives the same run, always`() {
        for seed in 1...2 as ClosedRange<UInt64> {
            let first = SimulatedCluster(seed: seed).run()
            let second = SimulatedCluster(seed: seed).run()
            #expect(first.digest == second.digest)
            #expect(first.messageCount == second.messageCount)
            #expect(first.virtualSeconds == second.virtualSeconds)
        }
        #expect(SimulatedCluster(seed: 1).run().digest != SimulatedCluster(seed: 2).run().digest)
    }

    @Test func `without faults one placement of each replica answers everything that fits`() async {
        var (plannedCount, replicaCount) = (0, 0)
        for seed in 1..<21 as Range<UInt64> {
            let cluster = SimulatedCluster(seed: seed, faults: .none)
            let epochCount = cluster.run().epochCount
            if cluster.summary.contains("planned for throughput") {
                // How many replicas there are is up to the planner.
                #expect(epochCount > 0, "seed \(seed)")
                plannedCount += 1
                continue
            }
            let isDouble = cluster.summary.contains("2 replicas")
            #expect(epochCount == (isDouble ? 2 : 1), "seed \(seed)")
            if isDouble { replicaCount += 1 }
        }
        #expect(plannedCount > 0 && replicaCount > 0)
        let totals = await Swarm(seeds: 1..<21, faults: .none).run(threadCount: 2)
        #expect(totals.firstViolation == nil)
        #expect(totals.seedCount == 20)
        #expect(totals.faults.total == 0)
        #expect(totals.completeCount > 5 * totals.failedCount)
    }

    @Test func `no rule is broken while everything goes wrong`() async {
        let totals = await Swarm(seeds: 1..<31).run(threadCount: 2)
        #expect(totals.firstViolation?.violation == nil)
        #expect(totals.firstViolation?.seed == nil)
        #expect(totals.seedCount == 30)
        // Conversations have gone on from what was kept.
        #expect(totals.reusedTokenCount > 0)
        // Every fault has struck, or there was nothing to survive.
        for fault in Fault.allCases where fault != .clockSkew { #expect(totals.faults[fault] > 0, "\(fault)") }
    }

    @Test func `faults are read as they are written`() throws {
        #expect(try Faults(parsing: "all") == .all)
        #expect(try Faults(parsing: "none") == .none)
        let some = try Faults(parsing: "loss,power-loss,delay=0.5")
        #expect(some.active == [.delay, .loss, .powerLoss])
        #expect(some[.delay] == 0.5)
        #expect(try Faults(parsing: some.text) == some)
        #expect(throws: FaultsProblem.self) { try Faults(parsing: "los") }
        #expect(throws: FaultsProblem.self) { try Faults(parsing: "loss=2") }
        #expect(throws: FaultsProblem.self) { try Faults(parsing: "loss,") }
    }
}
