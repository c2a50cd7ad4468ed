/// Says why a placement was chosen and others were not.
struct PlanReasons {
    let predictor: Predictor
    let chosen: Candidate
    let prediction: PlacementPrediction

    private var isLatency: Bool { predictor.request.objective == .latency }

    func whyChosen(_ found: [Candidate]) -> String {
        let count = chosen.nodeCount
        let nodes = count == 1 ? "one node" : "\(count) nodes"
        let what =
            isLatency
            ? "\(nodes), \(prediction.secondsPerToken.milliseconds) a token"
            : "\(nodes), \(prediction.throughputTokensPerSecond.rate) tokens a second over "
                + "\(predictor.request.concurrency) streams"
        let gain = found.first { $0.shape == .singleNode && $0.replicas != chosen.replicas }.map { single in
            ", \((single.cost / chosen.cost).decimal(places: 2)) times the best single node"
        }
        return "\(what)\(gain ?? ""); limited by \(prediction.limit)"
    }

    /// The part of a token's time that grew most, or the rate that is lower.
    func whyLost(_ candidate: Candidate, _ other: PlacementPrediction) -> String {
        if abs(candidate.cost - chosen.cost) <= 1e-9 * chosen.cost { return "it is no faster and takes more nodes" }
        if candidate.cost < chosen.cost {
            let gain = ((chosen.cost / candidate.cost - 1) * 100).decimal(places: 1)
            return "it is only \(gain) % better, with \(candidate.nodeCount) nodes instead of \(chosen.nodeCount)"
        }
        let parts: [(text: String, more: Double)] = [
            ("reading and multiplying weights takes", other.weightsSeconds - prediction.weightsSeconds),
            ("synchronising ranks takes", other.synchronisationSeconds - prediction.synchronisationSeconds),
            ("hops between nodes take", other.hopSeconds - prediction.hopSeconds),
            ("steps and layers cost", other.overheadSeconds - prediction.overheadSeconds),
        ]
        let worst = parts.max { $0.more < $1.more }
        guard isLatency else {
            let rate =
                "\(other.throughputTokensPerSecond.rate) tokens a second instead of "
                + "\(prediction.throughputTokensPerSecond.rate)"
            if candidate.nodeCount < chosen.nodeCount { return "\(rate): it uses fewer nodes" }
            return "\(rate): limited by \(other.limit)"
        }
        let more = other.secondsPerToken - prediction.secondsPerToken
        guard let worst, worst.more > 0 else { return "it takes \(more.milliseconds) more a token" }
        return "it takes \(more.milliseconds) more a token: \(worst.text) \(worst.more.milliseconds) more"
    }

    /// Nodes that could have a part and have none. Only the fastest of many are tried one by one.
    func leftOut(order: [Int]) -> [Plan.LeftOutNode] {
        let used = Set(chosen.replicas.flatMap { $0.flatMap(\.nodes) })
        let others = order.filter { !used.contains($0) }
        return others.enumerated().map { place, node in
            let reason = place < 12 ? whyWithout(node) : "faster nodes are left out, too"
            return Plan.LeftOutNode(node: predictor.cluster.nodes[node].name, reason: reason)
        }
    }

    private func whyWithout(_ node: Int) -> String {
        let constraints = predictor.request.constraints
        if constraints.rankCounts != nil { return "the given placement has no place for it" }
        let polishing = Polishing(predictor: predictor, spares: [node], keepsShape: false)
        var best: Candidate?
        for index in chosen.replicas.indices.prefix(4) {
            for place in chosen.replicas[index].indices {
                for stages in polishing.with(node, at: place, chosen.replicas[index]) {
                    var replicas = chosen.replicas
                    replicas[index] = stages
                    guard let candidate = predictor.candidate(replicas) else { continue }
                    if best.map({ candidate.cost < $0.cost }) ?? true { best = candidate }
                }
            }
        }
        if !isLatency {
            let alone = [StageChoice(nodes: [node], layers: 0..<predictor.layerCount)]
            if let candidate = predictor.candidate(chosen.replicas + [alone]),
                best.map({ candidate.cost < $0.cost }) ?? true
            {
                best = candidate
            }
        }
        guard let best else { return "no part fits its memory" }
        return "it \(effect(of: best))\(cause(node, best))"
    }

    private func effect(of candidate: Candidate) -> String {
        let change = candidate.cost - chosen.cost
        if change < -1e-9 * chosen.cost {
            return "would make it only \(((chosen.cost / candidate.cost - 1) * 100).decimal(places: 1)) % better"
        }
        guard change > 1e-9 * chosen.cost else { return "would gain nothing" }
        guard isLatency else {
            return "would cost \((1 / chosen.cost - 1 / candidate.cost).rate) tokens a second"
        }
        return "would add \(change.milliseconds) a token"
    }

    /// What sets the node apart from those that were chosen.
    private func cause(_ node: Int, _ candidate: Candidate) -> String {
        let nodes = chosen.replicas.flatMap { $0.flatMap(\.nodes) }
        func speed(_ node: Int) -> Double { 1 / predictor.readSeconds(node, predictor.kinds[0].feedForwardBlock) }
        let speeds = nodes.map(speed).sorted()
        let share = speed(node) / speeds[speeds.count / 2]
        if share < 0.8 { return ": its bandwidth is \(share.share) of the others'" }
        if !isLatency, predictor.request.concurrency <= chosen.replicas.count {
            return ": there are no more streams than replicas"
        }
        guard let resolved = candidate.replicas.first.flatMap(predictor.resolve) else { return "" }
        let load = Workload.decode(streams: 1, context: predictor.request.promptLength)
        let time = predictor.tokenTime(resolved, load)
        let waiting = time.synchronisationSeconds + time.hopSeconds
        let more = waiting - prediction.synchronisationSeconds - prediction.hopSeconds
        let saved = prediction.weightsSeconds - time.weightsSeconds
        guard more > 0 else { return ": shares of whole heads and blocks leave it nothing to speed up" }
        return ": waiting for messages takes \(more.milliseconds) more and saves "
            + "\(max(0, saved).milliseconds) of reading"
    }
}

extension Double {
    /// Such as `1.2 ms` or `85 µs`.
    fileprivate var milliseconds: String {
        abs(self) < 1e-3
            ? "\((self * 1e6).decimal(places: abs(self) < 1e-5 ? 1 : 0)) µs"
            : "\((self * 1e3).decimal(places: abs(self) < 0.1 ? 2 : 0)) ms"
    }

    fileprivate var rate: String { decimal(places: self < 100 ? 1 : 0) }

    /// Such as `a tenth` or `45 %`.
    fileprivate var share: String {
        if abs(self - 0.1) < 0.01 { return "a tenth" }
        if abs(self - 0.25) < 0.02 { return "a quarter" }
        if abs(self - 0.5) < 0.03 { return "half" }
        return "\((self * 100).decimal(places: self < 0.02 ? 1 : 0)) %"
    }

    fileprivate func decimal(places: Int) -> String {
        let scale = [1.0, 10, 100][places]
        guard abs(self) < 1e15 else { return "\(self)" }
        let scaled = Int((abs(self) * scale).rounded())
        let sign = self < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return "\(sign)\(scaled)" }
        let digits = "\(scaled % Int(scale))"
        let zeros = String(repeating: "0", count: places - digits.count)
        return "\(sign)\(scaled / Int(scale)).\(zeros)\(digits)"
    }
}
