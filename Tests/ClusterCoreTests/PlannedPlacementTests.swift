import ClusterCore
import Testing
import Transport

/// A pipeline whose shape the planner chooses.
struct PlannedPlacementTests {
    static let costs = ModelCosts(
        name: "tiny", parts: RankParts(keyValueHeadCount: 5, feedForwardSize: 1280, vocabularySize: 512),
        hiddenSize: 640, vocabularySize: 512, contextLength: 512,
        layers: [LayerCosts](
            repeating: LayerCosts(
                keyValueHead: WeightAmount(ternaryCount: 2e6), feedForwardBlock: WeightAmount(ternaryCount: 1e7),
                normByteCount: 5000), count: 6),
        vocabularyChunk: WeightAmount(otherCount: 1e6, otherByteCount: 1e6), embeddingByteCount: 1e6,
        keyValueByteCount: 1024, attentionMultiplyAdds: 1000,
        synchronisation: SynchronisationCosts(bytesPerValue: 4, scalarCount: 2), workspaceByteCountPerRow: 1000)

    private static func configuration(
        _ count: Int, _ constraints: PlanConstraints = PlanConstraints()
    ) throws -> PlacementConfiguration {
        var configuration = try PlacementTests.configuration(.count(count))
        configuration.planning = PlacementPlanning(model: costs, constraints: constraints)
        return configuration
    }

    private static func peer(_ node: NodeID) -> Peer {
        Peer(node: node, dataEndpoint: "tcp://\(node):1", hostID: "host-\(node)")
    }

    /// Nodes with so many GB/s, and links so slow that ranks do not pay, or so fast that they do.
    private static func measurements(
        _ nodes: [(node: NodeID, speed: Double)], latency: Double = 1e-6, memory: UInt64 = 1 << 34
    ) -> ClusterMeasurements {
        ClusterMeasurements(
            nodes: nodes.map { node, speed in
                let rates = KernelRates(bytesPerSecond: speed * 1e9, multiplyAddsPerSecond: speed * 1e10)
                return NodeMeasurement(
                    name: node.name, memoryTotalByteCount: memory, memoryFreeByteCount: memory, ternary: rates,
                    other: rates)
            }, link: LinkMeasurement(latencySeconds: latency, bandwidthBytesPerSecond: 1e10))
    }

    private func opened(_ effects: [Placement.Effect]) -> PlacedPipeline? {
        for case .opened(let pipeline, _) in effects { return pipeline }
        return nil
    }

    @Test func `workers wait until they are measured, and then share as the planner says`() throws {
        var placement = try Placement(configuration: try Self.configuration(2))
        #expect(opened(placement.handle(.joined(Self.peer(a)), at: .zero)) == nil)
        #expect(placement.problem(at: .zero) == "waiting for 1 of 2 workers")
        #expect(opened(placement.handle(.joined(Self.peer(b)), at: .zero)) == nil)
        #expect(placement.problem(at: .zero) == "workers and links are being measured")
        #expect(opened(placement.handle(.measured(Self.measurements([(a, 20)])), at: .zero)) == nil)
        let measured = Placement.Event.measured(Self.measurements([(a, 20), (b, 10)]))
        let pipeline = try #require(opened(placement.handle(measured, at: .zero)))
        // Two ranks, the faster one with more of the heads.
        #expect(pipeline.stages.count == 1 && pipeline.stages[0].layers == 0..<6)
        #expect(pipeline.nodes.sorted() == [a, b])
        let heads = pipeline.stages[0].ranks.map { ($0.peer.node, $0.share.keyValueHeads.count) }
        #expect(heads.contains { $0 == (a, 4) } && heads.contains { $0 == (b, 1) })
        #expect(pipeline.stages[0].ranks.map(\.peer.hostID).sorted() == ["host-a", "host-b"])
        #expect(placement.problem(at: .zero) == nil || placement.problem(at: .zero)?.hasSuffix("still loading") == true)
        // The same again changes nothing.
        #expect(placement.handle(measured, at: .zero).isEmpty)
    }

    @Test func `a worker that would slow it down has no part, and takes over when it must`() throws {
        var placement = try Placement(configuration: try Self.configuration(2))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.joined(Self.peer(b)), at: .zero)
        _ = placement.handle(.joined(Self.peer(c)), at: .zero)
        let measured = Self.measurements([(a, 1), (b, 20), (c, 19)], latency: 1e-2)
        let first = try #require(opened(placement.handle(.measured(measured), at: .zero)))
        #expect(first.nodes == [b])
        let second = try #require(opened(placement.handle(.gone(b, reason: "gone"), at: .zero)))
        #expect(second.nodes == [c] && second.epoch > first.epoch)
        #expect(opened(placement.handle(.gone(c, reason: "gone"), at: .zero)) == nil)
        #expect(placement.problem(at: .zero) == "waiting for 1 of 2 workers")
    }

    @Test func `those that are left are planned for after a while, and asked no more often than something changes`()
        throws
    {
        var placement = try Placement(configuration: try Self.configuration(2))
        for node in [a, b] { _ = placement.handle(.joined(Self.peer(node)), at: .zero) }
        let measured = Self.measurements([(a, 20), (b, 20)])
        let first = try #require(opened(placement.handle(.measured(measured), at: .zero)))
        for node in first.nodes { _ = placement.handle(.ready(node, first.epoch, PlacementTests.loaded), at: .zero) }
        #expect(opened(placement.handle(.gone(b, reason: "gone"), at: .seconds(10))) == nil)
        #expect(
            placement.problem(at: .seconds(10))
                == "waiting for 1 of 2 workers; in 5 s it is planned for those that are left")
        #expect(placement.nextDeadline == .seconds(15))
        // Nobody has the memory: it says so, and waits for more.
        let small = Self.measurements([(a, 20)], memory: 1 << 20)
        _ = placement.handle(.measured(small), at: .seconds(11))
        #expect(opened(placement.handle(.tick, at: .seconds(15))) == nil)
        #expect(placement.nextDeadline == nil)
        #expect(
            placement.problem(at: .seconds(16))?.hasPrefix(
                "waiting for 1 of 2 workers; no placement: the model needs") == true)
        let second = try #require(
            opened(placement.handle(.measured(Self.measurements([(a, 20)])), at: .seconds(20))))
        #expect(second.nodes == [a] && second.epoch > first.epoch)
    }

    @Test func `what the settings demand is honoured, also for workers that are not there`() throws {
        let constraints = PlanConstraints(
            pins: [.init(node: "b", layers: 0..<2)], memoryLimits: [.init(node: "z", byteCount: 1)],
            excludedNodes: ["c", "y"])
        var placement = try Placement(configuration: try Self.configuration(3, constraints))
        for node in [a, b, c] { _ = placement.handle(.joined(Self.peer(node)), at: .zero) }
        let measured = Self.measurements([(a, 20), (b, 1), (c, 20)])
        let pipeline = try #require(opened(placement.handle(.measured(measured), at: .zero)))
        #expect(pipeline.stages.map(\.nodes) == [[b], [a]])
        #expect(pipeline.stages.map(\.layers) == [0..<2, 2..<6])
    }

    @Test func `a model that fits nowhere is told with what is missing, until there is more`() throws {
        var placement = try Placement(configuration: try Self.configuration(1))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        let small = Self.measurements([(a, 20)], memory: 1 << 20)
        #expect(opened(placement.handle(.measured(small), at: .zero)) == nil)
        let problem = try #require(placement.problem(at: .zero))
        #expect(problem.hasPrefix("no placement: the model needs"))
        #expect(opened(placement.handle(.tick, at: .seconds(1))) == nil)
        #expect(placement.problem(at: .seconds(1)) == problem)
        _ = placement.handle(.joined(Self.peer(b)), at: .seconds(1))
        var both = small
        both.nodes += Self.measurements([(b, 20)]).nodes
        #expect(opened(placement.handle(.measured(both), at: .seconds(1)))?.nodes == [b])
    }

    @Test func `a planned placement for fewer is planned anew once all that are there have been measured`() throws {
        var placement = try Placement(configuration: try Self.configuration(2))
        for node in [a, b] { _ = placement.handle(.joined(Self.peer(node)), at: .zero) }
        let measured = Placement.Event.measured(Self.measurements([(a, 20), (b, 20)]))
        let first = try #require(opened(placement.handle(measured, at: .zero)))
        for node in first.nodes { _ = placement.handle(.ready(node, first.epoch, PlacementTests.loaded), at: .zero) }
        // Those that are left are planned for at once when a worker is drained.
        let second = try #require(opened(placement.handle(.drained(b), at: .seconds(1))))
        #expect(second.nodes == [a])
        _ = placement.handle(.ready(a, second.epoch, PlacementTests.loaded), at: .seconds(1))
        _ = placement.handle(.resumed(b), at: .seconds(2))
        #expect(placement.betterSince == .seconds(2))
        _ = placement.handle(.joined(Self.peer(c)), at: .seconds(3))
        #expect(placement.betterSince == nil)
        let all = Placement.Event.measured(Self.measurements([(a, 20), (b, 20), (c, 0.01)]))
        _ = placement.handle(all, at: .seconds(4))
        #expect(placement.betterSince == .seconds(4))
        #expect(opened(placement.handle(.rebalance, at: .seconds(5)))?.nodes.sorted() == [a, b])
    }

    @Test func `a warm spare takes a place of a planned placement as it is, without planning or waiting`() throws {
        var configuration = try Self.configuration(3)
        configuration.keepsSparesWarm = true
        var placement = try Placement(configuration: configuration)
        for node in [a, b, c] { _ = placement.handle(.joined(Self.peer(node)), at: .zero) }
        let measured = Self.measurements([(a, 1), (b, 20), (c, 19)], latency: 1e-2)
        let first = try #require(opened(placement.handle(.measured(measured), at: .zero)))
        #expect(first.nodes == [b])
        let effects = placement.handle(.ready(b, first.epoch, PlacementTests.loaded), at: .zero)
        var parts: [NodeID: UInt64] = [:]
        for case .prepare(let node, let assignment) in effects { parts[node] = assignment.partDigest }
        #expect(Set(parts.keys) == [a, c])
        _ = placement.handle(.holds(a, part: try #require(parts[a])), at: .seconds(1))
        // c would be faster, but has to load first, and two of three are fewer than wanted.
        let second = try #require(opened(placement.handle(.gone(b, reason: "gone"), at: .seconds(2))))
        #expect(second.nodes == [a] && second.stages.map(\.layers) == first.stages.map(\.layers))
    }
}
