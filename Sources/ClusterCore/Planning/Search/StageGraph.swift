/// Ways to make a pipeline of candidate groups: states are sets of nodes that are used already, edges add a stage.
struct StageGraph {
    struct Edge {
        /// A later state.
        var target: Int
        /// Into `groups`; −1 passes a node over.
        var group: Int
        /// From the stage before, or from the coordinator.
        var hopSeconds: Double
    }

    let groups: [GroupCandidate]
    /// From the last stage to the coordinator, for each group.
    let lastHopSeconds: [Double]
    /// By state, in an order in which edges point forwards; 0 is the beginning.
    let edges: [[Edge]]
    /// Whether a stage that ends in a state may be the last; nil if each may.
    let mayEnd: [Bool]?

    /// The pipeline with the least sum of seconds among those whose stages each take at most `limit`; nil if there is
    /// none. Dynamic programming over (state, layers placed), about edges × layers² ⁄ 2 operations.
    func fastest(layerCount: Int, limit: Double = .infinity) -> (stages: [StageChoice], seconds: Double)? {
        struct Step {
            var from: Int32
            var first: Int32
            var group: Int32
        }
        let width = layerCount + 1
        var seconds = [Double](repeating: .infinity, count: edges.count * width)
        var steps = [Step](repeating: Step(from: -1, first: 0, group: -1), count: edges.count * width)
        var best = Double.infinity
        var lastStep = Step(from: -1, first: 0, group: -1)
        seconds[0] = 0
        for state in edges.indices {
            for first in 0..<layerCount {
                let done = seconds[state * width + first]
                guard done < best else { continue }
                for edge in edges[state] {
                    guard edge.group >= 0 else {
                        let target = edge.target * width + first
                        if done < seconds[target] {
                            seconds[target] = done
                            steps[target] = Step(from: Int32(state), first: Int32(first), group: -1)
                        }
                        continue
                    }
                    let group = groups[edge.group]
                    let most = min(group.limit, layerCount - first)
                    guard most > 0 else { continue }
                    for end in (first + 1)..<(first + most + 1) {
                        let isLast = end == layerCount
                        guard let stage = group.seconds(first..<end, isLast: isLast) else { continue }
                        // More layers only take longer.
                        guard stage <= limit else { break }
                        var sum = done + edge.hopSeconds + stage
                        let step = Step(from: Int32(state), first: Int32(first), group: Int32(edge.group))
                        guard !isLast else {
                            sum += lastHopSeconds[edge.group]
                            if sum < best, mayEnd?[edge.target] ?? true { (best, lastStep) = (sum, step) }
                            continue
                        }
                        let target = edge.target * width + end
                        if sum < seconds[target] {
                            seconds[target] = sum
                            steps[target] = step
                        }
                    }
                }
            }
        }
        guard best < .infinity else { return nil }
        var stages: [StageChoice] = []
        var (step, end) = (lastStep, layerCount)
        while step.from >= 0 {
            let first = Int(step.first)
            if step.group >= 0 {
                stages.append(StageChoice(nodes: groups[Int(step.group)].nodes, layers: first..<end))
                end = first
            }
            step = steps[Int(step.from) * width + first]
        }
        return (stages.reversed(), best)
    }
}

/// What a graph is made for.
struct StageGraphRequest {
    var load: Workload
    /// Ranks of each stage, if that is settled.
    var rankCounts: [Int]?
    var pins: [(node: Int, layers: Range<Int>)] = []
    /// The most ranks of a stage, where they are not settled.
    var maximumRankCount: Int
}

extension StageGraph {
    /// Every way to make a sequence of disjoint groups of some nodes, at most 10. States are (nodes used, last group),
    /// so hops are exact; there are 3ⁿ states and at most 4ⁿ edges.
    static func exhaustive(_ nodes: [Int], _ predictor: Predictor, _ request: StageGraphRequest) -> StageGraph {
        let all = (1 << nodes.count) - 1
        let sizes = request.rankCounts
        var groups: [GroupCandidate] = []
        var groupOf = [Int](repeating: -1, count: all + 1)
        for mask in stride(from: 1, through: all, by: 1) {
            let count = mask.nonzeroBitCount
            guard sizes?.contains(count) ?? (count <= request.maximumRankCount) else { continue }
            let members = nodes.indices.filter { mask >> $0 & 1 == 1 }.map { nodes[$0] }
            guard let group = GroupCandidate(members, predictor, pins: request.pins, load: request.load) else {
                continue
            }
            groupOf[mask] = groups.count
            groups.append(group)
        }
        // The number of stages so far follows from how many nodes are used, where sizes are settled.
        var used = 0
        let boundaries = sizes?.map { size -> Int in
            defer { used += size }
            return used
        }
        // States in the order of the nodes used, then of the last group.
        var stateOf: [Int: Int] = [0: 0]
        var states: [(used: Int, last: Int)] = [(0, 0)]
        for mask in stride(from: 1, through: all, by: 1) {
            var last = mask
            while last > 0 {
                if groupOf[last] >= 0 {
                    stateOf[mask << nodes.count | last] = states.count
                    states.append((mask, last))
                }
                last = (last - 1) & mask
            }
        }
        let hidden = predictor.hiddenByteCount(rows: request.load.rows)
        let edges = states.map { state -> [Edge] in
            let free = all & ~state.used
            let size = boundaries?.firstIndex(of: state.used.nonzeroBitCount).flatMap { sizes?[$0] }
            if sizes != nil, size == nil { return [] }
            var edges: [Edge] = []
            var next = free
            while next > 0 {
                let group = groupOf[next]
                if group >= 0, size == nil || next.nonzeroBitCount == size,
                    let target = stateOf[(state.used | next) << nodes.count | next]
                {
                    let members = groups[group].nodes
                    let hop =
                        state.last == 0
                        ? predictor.firstHopSeconds(to: members)
                        : predictor.hopSeconds(
                            from: groups[groupOf[state.last]].nodes, to: members, byteCount: hidden)
                    edges.append(Edge(target: target, group: group, hopSeconds: hop))
                }
                next = (next - 1) & free
            }
            return edges
        }
        return StageGraph(
            groups: groups, lastHopSeconds: groups.map { predictor.lastHopSeconds(from: $0.nodes) }, edges: edges,
            mayEnd: sizes.map { sizes in states.map { $0.used.nonzeroBitCount == sizes.reduce(0, +) } })
    }

    /// Pipelines whose stages are neighbours in an order of the nodes, some of which may be passed over. States are
    /// places in the order, and the number of stages where that is settled.
    static func chain(_ order: [Int], _ predictor: Predictor, _ request: StageGraphRequest) -> StageGraph {
        let count = order.count
        let sizes = request.rankCounts
        let hidden = predictor.hiddenByteCount(rows: request.load.rows)
        var groups: [GroupCandidate] = []
        // By first place and number of ranks.
        var known: [[Int]] = []
        for place in 0..<count {
            var row: [Int] = []
            for size in 1...max(1, min(request.maximumRankCount, count - place)) {
                let members = Array(order[place..<place + size])
                let isWanted = sizes?.contains(size) ?? true
                let group =
                    isWanted ? GroupCandidate(members, predictor, pins: request.pins, load: request.load) : nil
                row.append(group == nil ? -1 : groups.count)
                if let group { groups.append(group) }
            }
            known.append(row)
        }
        let depth = sizes?.count ?? 0
        var edges: [[Edge]] = []
        for stage in 0...depth {
            for place in 0...count {
                var list: [Edge] = []
                if place < count {
                    list.append(Edge(target: stage * (count + 1) + place + 1, group: -1, hopSeconds: 0))
                    let isDone = sizes != nil && stage == depth
                    for (offset, group) in known[place].enumerated() where group >= 0 && !isDone {
                        let size = offset + 1
                        if let sizes, sizes[stage] != size { continue }
                        let members = groups[group].nodes
                        let hop =
                            place == 0
                            ? predictor.firstHopSeconds(to: members)
                            : predictor.hopSeconds(from: [order[place - 1]], to: members, byteCount: hidden)
                        let next = sizes == nil ? 0 : stage + 1
                        list.append(Edge(target: next * (count + 1) + place + size, group: group, hopSeconds: hop))
                    }
                }
                edges.append(list)
            }
        }
        return StageGraph(
            groups: groups, lastHopSeconds: groups.map { predictor.lastHopSeconds(from: $0.nodes) }, edges: edges,
            mayEnd: sizes.map { _ in (0...depth).flatMap { stage in (0...count).map { _ in stage == depth } } })
    }
}
