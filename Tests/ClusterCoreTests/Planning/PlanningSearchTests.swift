import ClusterCore
import TestSupport
import Testing
import Transport

struct PlanningSearchTests {
    /// Fewer nodes are taken for as much as this.
    static let noticeableGain = 1.0101

    func request(_ objective: PlanObjective = .latency, streams: Int = 6) -> PlanRequest {
        PlanRequest(objective: objective, concurrency: streams, contextLength: 64, promptLength: 16)
    }

    /// What is left of the best pipelines that `predict` finds.
    func best(_ cluster: RandomCluster, _ request: PlanRequest, _ value: (PlacementPrediction) -> Double) -> Double? {
        cluster.allPipelines().compactMap { stages in
            (try? Planner.predict(stages, cluster.measurements, cluster.costs, request)).map { value($0.prediction) }
        }.min()
    }

    @Test(arguments: 0..<24)
    func `for latency no pipeline of any groups is better`(seed: Int) throws {
        let cluster = RandomCluster(seed: seed, nodeCount: 1...4)
        let plan = try Planner.plan(cluster.measurements, cluster.costs, request())
        let wanted = try #require(best(cluster, request(), \.secondsPerToken))
        #expect(plan.chosen.prediction.secondsPerToken <= wanted * Self.noticeableGain)
    }

    @Test(arguments: 0..<24)
    func `nor where no node can hold the model alone`(seed: Int) throws {
        let cluster = RandomCluster(seed: seed, nodeCount: 3...4, memory: 0.3...0.9)
        guard let wanted = best(cluster, request(), \.secondsPerToken) else {
            #expect(throws: PlanError.self) { try Planner.plan(cluster.measurements, cluster.costs, request()) }
            return
        }
        let plan = try Planner.plan(cluster.measurements, cluster.costs, request())
        #expect(plan.chosen.prediction.secondsPerToken <= wanted * 1.03)
        #expect(plan.chosen.prediction.nodes.allSatisfy { $0.memoryByteCount <= $0.memoryLimitByteCount })
    }

    @Test(arguments: 0..<12)
    func `nor where nodes share a host`(seed: Int) throws {
        let cluster = RandomCluster(seed: seed, nodeCount: 2...4, sharesHosts: true)
        let plan = try Planner.plan(cluster.measurements, cluster.costs, request())
        let wanted = try #require(best(cluster, request(), \.secondsPerToken))
        #expect(plan.chosen.prediction.secondsPerToken <= wanted * Self.noticeableGain)
    }

    @Test(arguments: 0..<16)
    func `for throughput no single pipeline is better by more than a few per cent`(seed: Int) throws {
        let cluster = RandomCluster(seed: seed, nodeCount: 1...4, memory: 0.5...3)
        let request = request(.throughput)
        guard let wanted = best(cluster, request, { 1 / $0.throughputTokensPerSecond }) else { return }
        let plan = try Planner.plan(cluster.measurements, cluster.costs, request)
        #expect(1 / plan.chosen.prediction.throughputTokensPerSecond <= wanted * 1.03)
    }

    @Test(arguments: 0..<40)
    func `latency is never worse than on the best single node`(seed: Int) throws {
        let cluster = RandomCluster(seed: seed + 1000, nodeCount: 1...7)
        let plan = try Planner.plan(cluster.measurements, cluster.costs, request())
        let all = 0..<cluster.costs.layerCount
        for node in cluster.measurements.nodes {
            let alone = try Planner.predict([([node.name], all)], cluster.measurements, cluster.costs, request())
            #expect(plan.chosen.prediction.secondsPerToken <= alone.prediction.secondsPerToken * 1.000001)
        }
    }

    @Test(arguments: 0..<30, [PlanObjective.latency, .throughput])
    func `a node at a tenth of the speed makes nothing slower`(seed: Int, objective: PlanObjective) throws {
        var cluster = RandomCluster(seed: seed + 2000, nodeCount: 1...3)
        let before = try Planner.plan(cluster.measurements, cluster.costs, request(objective))
        let slowest = try #require(cluster.measurements.nodes.map(\.other.bytesPerSecond).min())
        cluster.measurements.nodes.append(.round("throttled", speed: slowest / 1e10))
        let after = try Planner.plan(cluster.measurements, cluster.costs, request(objective))
        switch objective {
        case .latency:
            #expect(
                after.chosen.prediction.secondsPerToken <= before.chosen.prediction.secondsPerToken
                    * Self.noticeableGain)
        case .throughput:
            let rates = (before.chosen.prediction, after.chosen.prediction)
            #expect(rates.1.throughputTokensPerSecond >= rates.0.throughputTokensPerSecond / Self.noticeableGain)
        }
    }

    @Test func `a slow node is left out, and the reason names its bandwidth`() throws {
        let nodes = [NodeMeasurement.round("a"), .round("b"), .round("c", speed: 0.1)]
        let measurements = ClusterMeasurements(nodes: nodes, link: .gigabitEthernet)
        let plan = try Planner.plan(measurements, .round(layers: 8, heads: 4, blocks: 12), request())
        #expect(plan.chosen.placement.nodes.sorted() == ["a", "b"])
        #expect(plan.chosen.placement.shape == .tensorGroup)
        let left = try #require(plan.leftOut.first)
        #expect(left.node == "c")
        #expect(
            left.reason.hasPrefix("it would add ") && left.reason.hasSuffix("its bandwidth is a tenth of the others'"))
        #expect(plan.alternatives.contains { $0.placement.shape == .singleNode })
        #expect(plan.alternatives.allSatisfy { $0.reason.contains("more a token") })
    }

    @Test func `what is better by less than a hundredth loses to fewer nodes`() throws {
        var lostCount = 0
        for seed in 0..<40 {
            let cluster = RandomCluster(seed: seed + 3000, nodeCount: 4...4)
            let plan = try Planner.plan(cluster.measurements, cluster.costs, request())
            let (chosen, nodes) = (plan.chosen.prediction.secondsPerToken, plan.chosen.placement.nodes.count)
            for other in plan.alternatives where other.prediction.secondsPerToken < chosen * 0.999999 {
                #expect(other.placement.nodes.count > nodes)
                #expect(other.reason.hasPrefix("it is only 0.") || other.reason.hasPrefix("it is only 1.0"))
                lostCount += 1
            }
        }
        #expect(lostCount > 0)
    }

    @Test func `ranks pay over a quick link and not over a slow one`() throws {
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let costs = ModelCosts.round(layers: 8, heads: 4, blocks: 12)
        func shape(_ link: LinkMeasurement) throws -> PlacementShape {
            try Planner.plan(ClusterMeasurements(nodes: nodes, link: link), costs, request()).chosen.placement.shape
        }
        #expect(try shape(.instant) == .tensorGroup)
        #expect(try shape(LinkMeasurement(latencySeconds: 20e-3, bandwidthBytesPerSecond: 1e8)) == .singleNode)
    }

    @Test func `many streams are served by as many replicas as there are nodes that hold the model`() throws {
        let nodes = (0..<4).map { NodeMeasurement.round("n\($0)") }
        let measurements = ClusterMeasurements(nodes: nodes, link: .millisecond)
        let plan = try Planner.plan(measurements, .round(layers: 8), request(.throughput, streams: 32))
        #expect(plan.chosen.placement.replicas.count == 4)
        #expect(plan.chosen.placement.shape == .replicas)
        #expect(Set(plan.chosen.placement.nodes).count == 4)
    }

    @Test func `the same measurements give the same plan`() throws {
        let cluster = RandomCluster(seed: 5, nodeCount: 6...6)
        let plans = try (0..<3).map { _ in try Planner.plan(cluster.measurements, cluster.costs, request()) }
        #expect(plans.allSatisfy { $0 == plans[0] })
    }

    @Test(arguments: PlanObjective.allCases)
    func `a thousand different nodes are planned for`(objective: PlanObjective) throws {
        var random = SeededGenerator(seed: 3)
        let nodes = (0..<1000).map {
            NodeMeasurement.round("n\($0)", speed: Double.random(in: 0.1...2, using: &random))
        }
        let measurements = ClusterMeasurements(nodes: nodes)
        let costs = ModelCosts.round(layers: 6, heads: 3, blocks: 6)
        let plan = try Planner.plan(measurements, costs, request(objective, streams: 16))
        let fastest = try #require(nodes.max { $0.other.bytesPerSecond < $1.other.bytesPerSecond })
        #expect(plan.chosen.placement.nodes.contains(fastest.name))
        let alone = try Planner.predict([([fastest.name], 0..<6)], measurements, costs, request(objective, streams: 16))
        #expect(
            plan.chosen.prediction.secondsPerToken <= alone.prediction.secondsPerToken * 1.000001
                || objective == .throughput)
        #expect(plan.chosen.prediction.throughputTokensPerSecond >= alone.prediction.throughputTokensPerSecond)
        #expect(plan.leftOut.count + plan.chosen.placement.nodes.count == 1000)
    }

    @Test func `a thousand small nodes hold together what none can alone`() throws {
        let nodes = (0..<1000).map { NodeMeasurement.round("n\($0)", memory: UInt64(programByteCount) + 13_000_000) }
        let costs = ModelCosts.round(layers: 12, heads: 2, blocks: 8)
        let plan = try Planner.plan(ClusterMeasurements(nodes: nodes), costs, request())
        let stages = plan.chosen.placement.replicas[0].stages
        #expect(stages.flatMap { Array($0.layers) } == Array(0..<12))
        #expect(plan.chosen.prediction.nodes.allSatisfy { $0.memoryByteCount <= $0.memoryLimitByteCount })
    }
}
