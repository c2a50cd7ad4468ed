import ClusterClient
import ClusterCore
import Foundation
import LocalCluster
import TestSupport
import Testing

/// Clusters of real processes on this machine, and what they measure.
@Suite(.serialized, .timeLimit(.minutes(10))) struct MeasuringTests {
    /// Waits until nothing is left to be measured, for a minute at most.
    private static func measured(_ client: ClusterClient) async throws -> ClusterHealth {
        var health = try await client.health()
        for _ in 0..<600 {
            let isComplete = health.measuring.pendingCount == 0 && health.nodes.allSatisfy { $0.rates != nil }
            if isComplete, !health.measuring.links.isEmpty { return health }
            try await Task.sleep(for: .milliseconds(100))
            health = try await client.health()
        }
        Issue.record("not measured within a minute: \(health)")
        return health
    }

    @Test func `workers measure themselves and their links when they join, and again when they are asked`() async throws
    {
        var tiny = TinyLlama()
        tiny.layerCount = 2
        tiny.chatTemplate = "{% for message in messages %}{{ message.content }}{% endfor %}"
        let model = try tiny.builder().write()
        let options = LocalClusterOptions(modelPath: model.path, workerCount: 2, threadsPerWorker: 1)
        try await LocalCluster.run(options) { cluster in
            let client = ClusterClient(cluster.address)
            for isAskedFor in [false, true] {
                if isAskedFor { #expect(try await client.measure() == 3) }
                let health = try await Self.measured(client)
                #expect(health.measuring.problems.isEmpty && health.droppedFrameCount == 0)
                #expect(health.nodes.count == 2)
                for node in health.nodes {
                    let rates = try #require(node.rates)
                    #expect(rates.ternary.bytesPerSecond > 0 && rates.ternary.multiplyAddsPerSecond > 0)
                    #expect(rates.other.bytesPerSecond > 0 && rates.other.multiplyAddsPerSecond > 0)
                    #expect(rates.hostBytesPerSecond > 0 && rates.memoryFreeByteCount > 0)
                }
                let link = try #require(health.measuring.links.first)
                #expect([link.first, link.second] == ["worker-1", "worker-2"] && link.sharesMemory)
                for way in [link.link.sockets, try #require(link.link.memory)] {
                    #expect(way.roundTrips.count == 3 && way.roundTrips.allSatisfy { $0.seconds > 0 })
                    #expect(way.bandwidthBytesPerSecond > 0)
                }
            }
            let input = try await client.planningInput()
            #expect(input.missing.isEmpty && input.measurements.nodes.count == 2)
            let plan = try Planner.plan(
                input.measurements, try #require(input.model), PlanRequest(contextLength: input.contextLength))
            #expect(plan.chosen.prediction.tokensPerSecond > 0)
        }
        withExtendedLifetime(model) {}
    }
}
