/// Finds pipelines of some nodes that are good at something.
struct PipelineSearch {
    let predictor: Predictor
    var objective: PlanObjective
    /// Streams that the pipeline serves, for throughput.
    var streams: Int
    var rankCounts: [Int]?
    var pins: [(node: Int, layers: Range<Int>)] = []
    /// How many times a limit of the stages' time is halved towards the best.
    var bisections = 10

    /// Up to so many nodes every pipeline is considered: there are 4ⁿ stages in places.
    static let exhaustiveNodeCount = (latency: 8, throughput: 5)

    private typealias Graphs = [StageGraph]

    /// The best pipelines by each way to look, unpolished, best last to first not promised.
    func candidates(_ nodes: [Int], orders: [[Int]]) -> [[StageChoice]] {
        switch objective {
        case .latency:
            let load = Workload.decode(streams: 1, context: predictor.request.promptLength)
            return graphs(nodes, orders: orders, load).compactMap {
                $0.fastest(layerCount: predictor.layerCount)?.stages
            }
        case .throughput:
            return stageCounts(nodes.count).flatMap { steps -> [[StageChoice]] in
                let rows = Double(streams) / Double(steps)
                let load = Workload.decode(streams: rows, context: predictor.request.promptLength)
                return graphs(nodes, orders: orders, load).flatMap { balanced($0, steps: steps) }
            }
        }
    }

    /// Each tensor group and single node alone, which are the pipelines without hops.
    func groupsAlone(_ order: [Int]) -> [[StageChoice]] {
        let all = 0..<predictor.layerCount
        let sizes = 1...min(predictor.maximumRankCount, order.count)
        return sizes.map { [StageChoice(nodes: Array(order.prefix($0)), layers: all)] }
    }

    private func graphs(_ nodes: [Int], orders: [[Int]], _ load: Workload) -> Graphs {
        let request = StageGraphRequest(
            load: load, rankCounts: rankCounts, pins: pins, maximumRankCount: predictor.maximumRankCount)
        let limit =
            objective == .latency ? Self.exhaustiveNodeCount.latency : Self.exhaustiveNodeCount.throughput
        if nodes.count <= limit { return [.exhaustive(nodes, predictor, request)] }
        return orders.map { StageGraph.chain($0, predictor, request) }
    }

    /// The steps under way that are worth a look: with a step for each stage, rows depend on the number of stages.
    private func stageCounts(_ nodeCount: Int) -> [Int] {
        if let rankCounts { return [min(streams, rankCounts.count)] }
        let most = min(streams, nodeCount, predictor.layerCount)
        if nodeCount <= Self.exhaustiveNodeCount.throughput { return Array(1...most) }
        return [1, 2, 3, 5, 8, 16, 32].filter { $0 <= most }
    }

    /// A round takes the longer of all stages' sum and `steps` times the busiest stage. The tighter the busiest stage is
    /// held, the longer the sum, so the best is where both are equal.
    private func balanced(_ graph: StageGraph, steps: Int) -> [[StageChoice]] {
        let layers = predictor.layerCount
        guard let loose = graph.fastest(layerCount: layers) else { return [] }
        var found = [loose.stages]
        var (low, high) = (0.0, loose.seconds)
        for _ in 0..<bisections where steps > 1 {
            let middle = (low + high) / 2
            guard let held = graph.fastest(layerCount: layers, limit: middle) else {
                low = middle
                continue
            }
            found.append(held.stages)
            if held.seconds > Double(steps) * middle { low = middle } else { high = middle }
        }
        return found
    }
}
