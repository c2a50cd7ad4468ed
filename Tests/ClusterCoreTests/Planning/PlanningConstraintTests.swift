import ClusterCore
import Testing
import Transport

struct PlanningConstraintTests {
    let nodes = (0..<6).map { NodeMeasurement.round("n\($0)", speed: 1 + Double($0) / 10) }
    let costs = ModelCosts.round(layers: 6, heads: 3, blocks: 6)

    func plan(
        _ constraints: PlanConstraints, objective: PlanObjective = .latency, nodes: [NodeMeasurement]? = nil,
        keyValueTokens: Int? = nil, costs: ModelCosts? = nil
    ) throws(PlanError) -> Plan {
        try Planner.plan(
            ClusterMeasurements(nodes: nodes ?? self.nodes), costs ?? self.costs,
            PlanRequest(
                objective: objective, contextLength: 64, keyValueTokenCapacity: keyValueTokens, promptLength: 16,
                constraints: constraints))
    }

    func complaint(_ constraints: PlanConstraints) -> String {
        do throws(PlanError) {
            _ = try plan(constraints)
            return ""
        } catch {
            return error.description
        }
    }

    @Test(arguments: [[1], [3], [2, 1, 3], [1, 1, 1, 1], [2, 2]], PlanObjective.allCases)
    func `a given placement is kept`(counts: [Int], objective: PlanObjective) throws {
        let stages = try plan(PlanConstraints(rankCounts: counts), objective: objective).chosen.placement.replicas[0]
            .stages
        #expect(stages.map(\.ranks.count) == counts)
        #expect(stages.flatMap { Array($0.layers) } == Array(0..<6))
    }

    @Test func `a given placement over many nodes is kept`() throws {
        let many = (0..<40).map { NodeMeasurement.round("n\($0)", speed: 1 + Double($0) / 10) }
        let stages = try plan(PlanConstraints(rankCounts: [2, 1, 3]), nodes: many).chosen.placement.replicas[0].stages
        #expect(stages.map(\.ranks.count) == [2, 1, 3])
    }

    @Test func `a placement that cannot be given is refused with the reason`() {
        #expect(
            complaint(PlanConstraints(rankCounts: [4]))
                == "placement 4: a stage of this model has 1 to 3 ranks, one for each KV head at most")
        #expect(
            complaint(PlanConstraints(rankCounts: [3, 3, 1]))
                == "placement 3,3,1 takes 7 nodes, but 6 may have a part; add nodes")
        #expect(complaint(PlanConstraints(rankCounts: [])).hasPrefix("placement : "))
    }

    @Test(arguments: PlanObjective.allCases)
    func `pinned layers are held by their nodes alone`(objective: PlanObjective) throws {
        let pins = [PlanConstraints.Pin(node: "n0", layers: 2..<4), .init(node: "n1", layers: 2..<4)]
        let stages = try plan(PlanConstraints(pins: pins), objective: objective).chosen.placement.replicas[0].stages
        let pinned = try #require(stages.first { $0.layers.contains(2) })
        #expect(pinned.layers == 2..<4)
        #expect(Set(pinned.ranks.map(\.node)).isSuperset(of: ["n0", "n1"]))
        #expect(stages.flatMap { Array($0.layers) } == Array(0..<6))
    }

    @Test func `pins are honoured among many nodes`() throws {
        let many = (0..<30).map { NodeMeasurement.round("n\($0)", speed: 1 + Double($0) / 10) }
        let pins = [PlanConstraints.Pin(node: "n3", layers: 0..<1), .init(node: "n4", layers: 5..<6)]
        let stages = try plan(PlanConstraints(pins: pins), nodes: many).chosen.placement.replicas[0].stages
        #expect(stages.first?.layers == 0..<1 && stages.first?.ranks.contains { $0.node == "n3" } == true)
        #expect(stages.last?.layers == 5..<6 && stages.last?.ranks.contains { $0.node == "n4" } == true)
    }

    @Test func `pins that contradict each other are refused`() {
        #expect(
            complaint(PlanConstraints(pins: [.init(node: "n0", layers: 0..<3), .init(node: "n1", layers: 2..<4)]))
                == "n1 is pinned to layers 2–3, n0 to 0–2; make them the same or apart")
        #expect(
            complaint(PlanConstraints(pins: [.init(node: "n0", layers: 4..<9)]))
                == "n0 is pinned to layers 4–8, but the model has 6; pin it to some of 0–5")
        #expect(
            complaint(PlanConstraints(pins: [.init(node: "n0", layers: 0..<1)], excludedNodes: ["n0"]))
                == "n0 is pinned to layers, but may have no part; allow it, or unpin it")
        #expect(
            complaint(PlanConstraints(excludedNodes: ["nobody"]))
                == "nobody is constrained, but there is no such node; correct the name")
    }

    @Test func `excluded and unavailable nodes have no part, and are listed with the reason`() throws {
        var nodes = self.nodes
        nodes[5].isAvailable = false
        let plan = try plan(PlanConstraints(excludedNodes: ["n4"]), nodes: nodes)
        #expect(!plan.chosen.placement.nodes.contains("n4") && !plan.chosen.placement.nodes.contains("n5"))
        #expect(plan.leftOut.contains { $0.node == "n4" && $0.reason == "it is excluded" })
        #expect(plan.leftOut.contains { $0.node == "n5" && $0.reason == "it is not available" })
    }

    @Test func `no node takes more memory than it may`() throws {
        let limits = nodes.map {
            PlanConstraints.MemoryLimit(node: $0.name, byteCount: UInt64(programByteCount) + 25_000_000)
        }
        let plan = try plan(PlanConstraints(memoryLimits: limits))
        #expect(plan.chosen.prediction.nodes.allSatisfy { $0.memoryByteCount <= UInt64(programByteCount) + 25_000_000 })
        #expect(plan.chosen.placement.nodes.count > 1)
    }

    @Test func `what nodes of a host have together is not given twice`() throws {
        let nodes = [NodeMeasurement.round("a", host: "box"), .round("b", host: "box")]
        let memory = UInt64(2 * programByteCount) + 60_000_000
        let measurements = ClusterMeasurements(
            nodes: nodes, hosts: [HostMeasurement(name: "box", memoryFreeByteCount: memory)])
        let plan = try Planner.plan(measurements, costs, PlanRequest(contextLength: 64, promptLength: 16))
        #expect(plan.chosen.prediction.nodes.reduce(0) { $0 + $1.memoryByteCount } <= memory)
    }

    @Test func `a model that does not fit says how much is missing and what would help`() throws {
        let nodes = (0..<2).map { NodeMeasurement.round("n\($0)", memory: 64 << 20) }
        let costs = ModelCosts.round(layers: 6, heads: 3, blocks: 6, keyValueByteCount: 1000)
        let error = try #require(throws: PlanError.self) {
            try plan(PlanConstraints(), nodes: nodes, keyValueTokens: 6400, costs: costs)
        }
        guard case .doesNotFit(let shortage) = error else { throw error }
        let needed = 56_000_000 + 6400 * 1000 * 18 + UInt64(programByteCount)
        #expect(shortage.neededByteCount == needed)
        #expect(shortage.shortByteCount == needed - (128 << 20))
        #expect(shortage.fittingKeyValueTokenCount == 0)
        #expect(error.description.contains("are missing; add a node with"))
        #expect(error.description.hasSuffix("or take a smaller model: its weights alone do not fit"))

        let larger = (0..<3).map { NodeMeasurement.round("n\($0)", memory: 80 << 20) }
        let other = try #require(throws: PlanError.self) {
            try plan(PlanConstraints(), nodes: larger, keyValueTokens: 6400, costs: costs)
        }
        guard case .doesNotFit(let shortage) = other else { throw other }
        let tokens = shortage.fittingKeyValueTokenCount
        #expect(tokens > 0 && tokens < 6400)
        #expect(other.description.hasSuffix("or lower the KV cache to \(tokens) tokens"))
    }

    @Test func `nothing can be planned without nodes, or with figures that mean nothing`() {
        #expect(throws: PlanError.noNodes) { try plan(PlanConstraints(excludedNodes: nodes.map(\.name))) }
        var broken = nodes
        broken[1].other.bytesPerSecond = .nan
        #expect(throws: PlanError.invalid("n1: rates and threads must be over 0; measure it again")) {
            try plan(PlanConstraints(), nodes: broken)
        }
        #expect(throws: PlanError.invalid("two nodes are called n0; give each a name of its own")) {
            try plan(PlanConstraints(), nodes: nodes + [nodes[0]])
        }
    }
}
