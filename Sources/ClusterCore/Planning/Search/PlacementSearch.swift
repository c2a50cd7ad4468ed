/// Looks for the best placement, and for the best of each kind.
struct PlacementSearch {
    let predictor: Predictor
    private let pins: [(node: Int, layers: Range<Int>)]
    /// Fastest first; among equals in the order of the measurements.
    let order: [Int]

    /// - Throws: `.constraint` for constraints that no placement can honour.
    init(_ predictor: Predictor) throws(PlanError) {
        self.predictor = predictor
        let nodes = predictor.cluster.nodes
        let all = PartCounts(
            keyValueHeads: [predictor.costs.parts.keyValueHeadCount],
            feedForwardBlocks: [predictor.costs.parts.feedForwardBlockCount],
            vocabularyChunks: [predictor.costs.parts.vocabularyChunkCount])
        let load = Workload.decode(streams: 1, context: predictor.request.promptLength)
        let pace = nodes.indices.map { node -> Double in
            let timing = predictor.timing([node], all, load)
            return predictor.kindOf.reduce(timing.headSeconds + timing.stepSeconds) { $0 + timing.layerSeconds[$1] }
        }
        order = nodes.indices.sorted { (pace[$0], $0) < (pace[$1], $1) }
        pins = try Self.pins(predictor)
        try Self.check(predictor, pins)
    }

    /// What was found, best first; at most one of each kind of placement, and the best with fewer nodes.
    func run() -> [Candidate] {
        var found = Found()
        for replicas in starts() {
            if let candidate = predictor.candidate(replicas) { found.add(candidate) }
        }
        let polishing = Polishing(
            predictor: predictor, spares: order, keepsShape: predictor.request.constraints.rankCounts != nil, pins: pins
        )
        for candidate in found.best.prefix(4) { found.add(polishing.polish(candidate)) }
        if isFree, let best = found.best.first { for fewer in thinned(best, polishing) { found.add(fewer) } }
        return found.best
    }

    /// A placement must be better by this share to be worth more nodes: predictions are not as exact as that, and each
    /// node is one that may fail.
    static let noticeableGain = 0.01

    /// The placement with one node less after another, each time the one that is missed least, for as long as hardly
    /// anything is lost.
    private func thinned(_ candidate: Candidate, _ polishing: Polishing) -> [Candidate] {
        var results: [Candidate] = []
        var current = candidate
        var settling = polishing
        settling.keepsShape = true
        settling.spares = []
        while current.nodeCount > 1, current.nodeCount <= 64 {
            let fewer = polishing.removals(current.replicas).compactMap(predictor.candidate)
            guard let next = fewer.min(by: { $0.cost < $1.cost }) else { break }
            current = settling.polish(next)
            results.append(current)
            guard current.cost <= candidate.cost * (1 + 4 * Self.noticeableGain) else { break }
        }
        return results
    }

    private var isFree: Bool { predictor.request.constraints.rankCounts == nil && pins.isEmpty }

    private func starts() -> [[[StageChoice]]] {
        let request = predictor.request
        var search = PipelineSearch(
            predictor: predictor, objective: request.objective, streams: request.concurrency,
            rankCounts: request.constraints.rankCounts, pins: pins)
        if order.count > 12 { search.bisections = 6 }
        // A pipeline over so many nodes is long past its best for throughput, where all stages work all the time.
        let isLarge = order.count > 24 && request.objective == .throughput
        let nodes = isLarge && isFree ? Array(order.prefix(24)) : order
        let orders = self.orders(nodes)
        var starts = search.candidates(nodes.sorted(), orders: orders).map { [$0] }
        guard isFree else { return starts }
        let all = 0..<predictor.layerCount
        starts += order.map { [[StageChoice(nodes: [$0], layers: all)]] }
        for order in orders { starts += search.groupsAlone(order).map { [$0] } }
        // Without groups, so that there is a pipeline to compare with; and to find the layers of a long one.
        search.rankCounts = nil
        starts += pipelinesOfSingleNodes(nodes, orders: orders)
        if request.objective == .throughput, request.allowsReplicas {
            starts += ReplicaSearch(predictor: predictor, order: order).candidates()
        }
        return starts
    }

    private func pipelinesOfSingleNodes(_ nodes: [Int], orders: [[Int]]) -> [[[StageChoice]]] {
        (2...max(2, min(4, nodes.count))).compactMap { count in
            guard count <= nodes.count, count <= predictor.layerCount else { return nil }
            var search = PipelineSearch(
                predictor: predictor, objective: predictor.request.objective, streams: predictor.request.concurrency)
            search.rankCounts = [Int](repeating: 1, count: count)
            return search.candidates(Array(nodes.prefix(8)), orders: orders.map { Array($0.prefix(32)) })
                .compactMap { predictor.candidate([$0]) }.min { $1.isBetter(than: $0) ? false : $0.isBetter(than: $1) }?
                .replicas
        }
    }

    /// Orders in which stages are made of neighbours: by speed, by machine, by memory, each both ways.
    private func orders(_ nodes: [Int]) -> [[Int]] {
        guard pins.isEmpty else { return ordersAroundPins(nodes) }
        let cluster = predictor.cluster
        var firstOfHost: [Int: Int] = [:]
        for (place, node) in nodes.enumerated() where firstOfHost[cluster.hostOf[node]] == nil {
            firstOfHost[cluster.hostOf[node]] = place
        }
        let places = nodes.indices
        let byHost = places.sorted {
            (firstOfHost[cluster.hostOf[nodes[$0]]] ?? 0, $0) < (firstOfHost[cluster.hostOf[nodes[$1]]] ?? 0, $1)
        }
        let byMemory = places.sorted {
            (-cluster.memoryByteCounts[nodes[$0]], $0) < (-cluster.memoryByteCounts[nodes[$1]], $1)
        }
        var orders: [[Int]] = []
        for order in [Array(places), byHost, byMemory].map({ $0.map { nodes[$0] } }) {
            for order in [order, order.reversed()] where !orders.contains(order) { orders.append(order) }
        }
        return orders
    }

    /// Pinned nodes in the order of their layers, all others in one of the gaps, or in turns in those where layers are
    /// not pinned.
    private func ordersAroundPins(_ nodes: [Int]) -> [[Int]] {
        let sorted = pins.sorted { ($0.layers.lowerBound, $0.node) < ($1.layers.lowerBound, $1.node) }
        let pinned = sorted.map(\.node)
        let free = nodes.filter { !pinned.contains($0) }
        var orders = (0...pinned.count).map { Array(pinned[..<$0]) + free + Array(pinned[$0...]) }
        let starts = sorted.map(\.layers.lowerBound) + [predictor.layerCount]
        let ends = [0] + sorted.map(\.layers.upperBound)
        let gaps = starts.indices.filter { starts[$0] > ends[$0] }
        guard gaps.count > 1 else { return orders }
        orders.append(
            (0...pinned.count).flatMap { place -> [Int] in
                let own = gaps.firstIndex(of: place).map { gap in
                    free.indices.filter { $0 % gaps.count == gap }.map { free[$0] }
                }
                return (own ?? []) + (place < pinned.count ? [pinned[place]] : [])
            })
        return orders
    }

    private static func pins(_ predictor: Predictor) throws(PlanError) -> [(node: Int, layers: Range<Int>)] {
        var pins: [(node: Int, layers: Range<Int>)] = []
        for pin in predictor.request.constraints.pins {
            guard let node = predictor.cluster.nodes.firstIndex(where: { $0.name == pin.node }) else {
                throw .constraint("\(pin.node) is pinned to layers, but may have no part; allow it, or unpin it")
            }
            guard !pin.layers.isEmpty, pin.layers.lowerBound >= 0, pin.layers.upperBound <= predictor.layerCount else {
                throw .constraint(
                    "\(pin.node) is pinned to layers \(pin.layers.text), but the model has \(predictor.layerCount); "
                        + "pin it to some of 0–\(predictor.layerCount - 1)")
            }
            for other in pins where other.layers != pin.layers && other.layers.overlaps(pin.layers) {
                throw .constraint(
                    "\(pin.node) is pinned to layers \(pin.layers.text), "
                        + "\(predictor.cluster.nodes[other.node].name) to \(other.layers.text); "
                        + "make them the same or apart")
            }
            if pins.contains(where: { $0.node == node && $0.layers != pin.layers }) {
                throw .constraint("\(pin.node) is pinned twice; leave one of the two")
            }
            pins.append((node, pin.layers))
        }
        return pins
    }

    private static func check(
        _ predictor: Predictor, _ pins: [(node: Int, layers: Range<Int>)]
    ) throws(PlanError) {
        for pin in pins {
            let ranks = pins.count { $0.layers == pin.layers }
            guard ranks <= predictor.maximumRankCount else {
                throw .constraint(
                    "\(ranks) nodes are pinned to layers \(pin.layers.text), but a stage of this model has at most "
                        + "\(predictor.maximumRankCount) ranks, one for each KV head; pin fewer")
            }
        }
        guard let sizes = predictor.request.constraints.rankCounts else { return }
        let text = sizes.map(String.init).joined(separator: ",")
        guard !sizes.isEmpty, sizes.allSatisfy({ (1...predictor.maximumRankCount).contains($0) }) else {
            throw .constraint(
                "placement \(text): a stage of this model has 1 to \(predictor.maximumRankCount) ranks, "
                    + "one for each KV head at most")
        }
        guard sizes.count <= predictor.layerCount else {
            throw .constraint("placement \(text): \(predictor.layerCount) layers make at most as many stages")
        }
        let count = predictor.cluster.nodes.count
        guard sizes.allSatisfy({ $0 <= count }), sizes.reduce(0, +) <= count else {
            throw .constraint(
                "placement \(text) takes \(sizes.reduce(0, +)) nodes, but \(count) may have a part; add nodes")
        }
    }
}

/// The best of each kind so far.
private struct Found {
    private var byShape: [Candidate?] = PlacementShape.allCases.map { _ in nil }
    private var byNodeCount: [Candidate?] = []

    mutating func add(_ candidate: Candidate) {
        let shape = PlacementShape.allCases.firstIndex(of: candidate.shape) ?? 0
        if byShape[shape].map({ candidate.isBetter(than: $0) }) ?? true { byShape[shape] = candidate }
        while byNodeCount.count <= candidate.nodeCount { byNodeCount.append(nil) }
        let known = byNodeCount[candidate.nodeCount]
        if known.map({ candidate.isBetter(than: $0) }) ?? true { byNodeCount[candidate.nodeCount] = candidate }
    }

    /// The chosen one, which is the best unless fewer nodes do nearly as well; then the best of each kind and the best
    /// with fewer nodes than the chosen one, best first.
    var best: [Candidate] {
        var list = byShape.compactMap(\.self)
        list.sort { $0.isBetter(than: $1) }
        let limit = list.first.map { $0.cost * (1 + PlacementSearch.noticeableGain) } ?? 0
        guard let chosen = byNodeCount.lazy.compactMap(\.self).first(where: { $0.cost <= limit }) else { return list }
        var fewer = byNodeCount.prefix(chosen.nodeCount).compactMap(\.self)
        fewer.sort { $0.isBetter(than: $1) }
        if let next = fewer.first, !list.contains(where: { $0.replicas == next.replicas }) { list.append(next) }
        list.removeAll { $0.replicas == chosen.replicas }
        list.sort { $0.isBetter(than: $1) }
        return [chosen] + list
    }
}

extension Range<Int> {
    /// Such as `0–9`, both included, or `7`.
    var text: String { count == 1 ? "\(lowerBound)" : "\(lowerBound)–\(upperBound - 1)" }
}
