import Simulation
import Testing

@Suite struct SimulationTests {
    @Test func `a seed gives the same run, always`() {
        for seed in 1...3 as ClosedRange<UInt64> {
            let first = SimulatedCluster(seed: seed).run()
            let second = SimulatedCluster(seed: seed).run()
            #expect(first.digest == second.digest)
            #expect(first.messageCount == second.messageCount)
            #expect(first.virtualSeconds == second.virtualSeconds)
        }
    }
}
