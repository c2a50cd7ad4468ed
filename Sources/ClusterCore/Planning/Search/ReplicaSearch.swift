/// Finds how many times to place the model for throughput, and who serves each replica.
struct ReplicaSearch {
    let predictor: Predictor
    /// Fastest first.
    let order: [Int]

    /// Up to so many nodes every way to part them into replicas is considered.
    static let exhaustiveNodeCount = 4
    /// Up to so many nodes teams are also drafted, so that each has a fast one.
    private static let draftNodeCount = 64

    private var streams: Int { predictor.request.concurrency }

    func candidates() -> [[[StageChoice]]] {
        order.count <= Self.exhaustiveNodeCount ? allPartitions() : teams()
    }

    /// One for each way to part the nodes, with a good pipeline for each part.
    private func allPartitions() -> [[[StageChoice]]] {
        var partitions: [[[Int]]] = [[]]
        for node in order {
            partitions = partitions.flatMap { partition -> [[[Int]]] in
                var longer = partition.indices.map { index -> [[Int]] in
                    var next = partition
                    next[index].append(node)
                    return next
                }
                longer.append(partition + [[node]])
                // Without it.
                longer.append(partition)
                return longer
            }
        }
        // Pipelines by their nodes and streams, as the same part is in many partitions.
        var known: [[Int]: [StageChoice]?] = [:]
        return partitions.filter { !$0.isEmpty && $0.count <= streams }.compactMap { partition in
            let share = (streams + partition.count - 1) / partition.count
            var replicas: [[StageChoice]] = []
            for part in partition {
                let key = part + [-share]
                let pipeline = known[key] ?? best(of: part, streams: share)
                known[key] = .some(pipeline)
                guard let pipeline else { return nil }
                replicas.append(pipeline)
            }
            return replicas
        }
    }

    /// Teams of equally many nodes, by speed: the fastest together, or one fast node to each.
    private func teams() -> [[[StageChoice]]] {
        var results: [[[StageChoice]]] = []
        var counts: [Int] = []
        var count = 1
        while count <= min(streams, order.count) {
            counts.append(count)
            count *= 2
        }
        if let last = counts.last, last != min(streams, order.count) { counts.append(min(streams, order.count)) }
        for count in counts {
            for size in sizes where count * size <= order.count {
                results.append(replicas((0..<count).map { Array(order[($0 * size)..<($0 * size + size)]) }))
                guard count > 1, size > 1, order.count <= Self.draftNodeCount else { continue }
                // Turning at each end, as in a draft.
                results.append(
                    replicas(
                        (0..<count).map { team in
                            (0..<size).map { order[$0 * count + ($0 % 2 == 0 ? team : count - 1 - team)] }
                        }))
            }
        }
        return results.filter { !$0.isEmpty }
    }

    private var sizes: [Int] {
        let known = [1, 2, 3, 4, 6, 8, 12, 16, 32].filter { $0 < order.count }
        return order.count <= 32 ? known + [order.count] : known
    }

    /// A pipeline for each team that can hold the model. What is found for the first team is the pattern for the others;
    /// where it does not fit, the quickest pipeline will do.
    private func replicas(_ teams: [[Int]]) -> [[StageChoice]] {
        let share = (streams + teams.count - 1) / teams.count
        var replicas: [[StageChoice]] = []
        for team in teams {
            if replicas.isEmpty {
                if let pipeline = best(of: team, streams: share) { replicas.append(pipeline) }
            } else if let pipeline = best(of: team, streams: share, pattern: replicas[0]) {
                replicas.append(pipeline)
            }
        }
        return replicas
    }

    private func best(of nodes: [Int], streams: Int, pattern: [StageChoice]? = nil) -> [StageChoice]? {
        if nodes.count == 1 {
            let alone = [StageChoice(nodes: nodes, layers: 0..<predictor.layerCount)]
            return predictor.resolve(alone) == nil ? nil : alone
        }
        var search = PipelineSearch(predictor: predictor, objective: .throughput, streams: streams)
        guard let pattern else {
            search.bisections = order.count <= Self.draftNodeCount ? 8 : 6
            let orders = [nodes, nodes.reversed()]
            return quickest(search.candidates(nodes, orders: orders) + search.groupsAlone(nodes), streams: streams)
        }
        search.bisections = order.count <= Self.draftNodeCount ? 5 : 2
        search.rankCounts = pattern.map(\.nodes.count)
        if let similar = quickest(search.candidates(nodes, orders: [nodes]), streams: streams) { return similar }
        search.rankCounts = nil
        search.objective = .latency
        return quickest(search.candidates(nodes, orders: [nodes]), streams: streams)
    }

    private func quickest(_ candidates: [[StageChoice]], streams: Int) -> [StageChoice]? {
        var best: (rate: Double, stages: [StageChoice])?
        for stages in candidates {
            guard let resolved = predictor.resolve(stages) else { continue }
            let rate = predictor.throughput(resolved, streams: streams).tokensPerSecond
            if rate > best?.rate ?? 0 { best = (rate, stages) }
        }
        return best?.stages
    }
}
