/// A placement that was looked at, with how good it is.
struct Candidate {
    var replicas: [[StageChoice]]
    /// Seconds to a token: of one stream for latency, of all together for throughput. Less is better.
    var cost: Double
    /// Seconds to a token of one stream.
    var latency: Double

    var nodeCount: Int { replicas.reduce(0) { $0 + $1.reduce(0) { $0 + $1.nodes.count } } }

    var shape: PlacementShape {
        guard replicas.count == 1 else { return .replicas }
        let stages = replicas[0]
        switch (stages.count, stages.reduce(0) { max($0, $1.nodes.count) }) {
        case (1, 1): return .singleNode
        case (1, _): return .tensorGroup
        case (_, 1): return .pipeline
        default: return .hybrid
        }
    }

    /// Better by more than rounding; among equals the one with fewer nodes, then the one with the lower latency.
    func isBetter(than other: Candidate) -> Bool {
        if abs(cost - other.cost) > 1e-9 * max(cost, other.cost) { return cost < other.cost }
        if nodeCount != other.nodeCount { return nodeCount < other.nodeCount }
        return latency < other.latency * (1 - 1e-9)
    }
}

extension Predictor {
    /// Nil if a stage does not fit its nodes.
    func candidate(_ replicas: [[StageChoice]]) -> Candidate? {
        var resolved: [[ResolvedStage]] = []
        for replica in replicas {
            guard let stages = resolve(replica) else { return nil }
            resolved.append(stages)
        }
        let latency = resolved.reduce(Double.infinity) { min($0, decodeSeconds($1)) }
        switch request.objective {
        case .latency: return Candidate(replicas: replicas, cost: latency, latency: latency)
        case .throughput:
            let rate = throughput(resolved, streams: request.concurrency).tokensPerSecond
            return Candidate(replicas: replicas, cost: 1 / max(rate, 1e-12), latency: latency)
        }
    }
}
