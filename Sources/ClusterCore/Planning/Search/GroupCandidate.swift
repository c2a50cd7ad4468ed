/// Nodes that may become a stage: how long they take for a number of layers, and how many fit.
struct GroupCandidate {
    /// One way to share, with what follows from it.
    struct Sharing {
        /// Seconds of the first n layers, for n from 0 to all.
        var prefixSeconds: [Double]
        var headSeconds: Double
        /// The most layers that fit, without the head and with it; −1 if not even the head does.
        var limit: Int
        var limitWithHead: Int

        func seconds(_ layers: Range<Int>) -> Double {
            prefixSeconds[layers.upperBound] - prefixSeconds[layers.lowerBound]
        }
    }

    let nodes: [Int]
    let stepSeconds: Double
    /// By speed; the fastest, if memory allows.
    let bySpeed: Sharing
    /// By memory, where more layers fit so.
    let byMemory: Sharing?
    /// Layers that its nodes are pinned to.
    let pinned: Range<Int>?
    /// Pins of nodes that are not in it.
    let foreign: [Range<Int>]

    /// Nil for nodes that can hold no layer together, or that are pinned to different ones.
    init?(_ nodes: [Int], _ predictor: Predictor, pins: [(node: Int, layers: Range<Int>)], load: Workload) {
        var pinned: Range<Int>?
        var foreign: [Range<Int>] = []
        for pin in pins {
            guard nodes.contains(pin.node) else {
                foreign.append(pin.layers)
                continue
            }
            guard pinned == nil || pinned == pin.layers else { return nil }
            pinned = pin.layers
        }
        self.pinned = pinned
        self.foreign = foreign
        self.nodes = nodes
        guard let counts = predictor.countsBySpeed(nodes, isLast: true) else { return nil }
        bySpeed = Sharing(nodes, counts, predictor, load)
        stepSeconds = nodes.reduce(0) { max($0, predictor.cluster.nodes[$1].stepOverheadSeconds) }
        var byMemory: Sharing?
        if nodes.count > 1, bySpeed.limitWithHead < predictor.layerCount,
            let counts = predictor.countsByMemory(nodes, isLast: true)
        {
            let sharing = Sharing(nodes, counts, predictor, load)
            if sharing.limit > bySpeed.limit || sharing.limitWithHead > bySpeed.limitWithHead { byMemory = sharing }
        }
        self.byMemory = byMemory
        guard max(bySpeed.limit, byMemory?.limit ?? 0) > 0 else { return nil }
    }

    /// The most layers that it can hold in any way.
    var limit: Int { max(bySpeed.limit, byMemory?.limit ?? 0) }

    /// How long it works on a step with these layers; nil if it cannot or may not hold them.
    func seconds(_ layers: Range<Int>, isLast: Bool) -> Double? {
        if let pinned, pinned != layers { return nil }
        if !foreign.isEmpty, foreign.contains(where: { $0.overlaps(layers) }) { return nil }
        if layers.count <= (isLast ? bySpeed.limitWithHead : bySpeed.limit) {
            return stepSeconds + bySpeed.seconds(layers) + (isLast ? bySpeed.headSeconds : 0)
        }
        if let byMemory, layers.count <= (isLast ? byMemory.limitWithHead : byMemory.limit) {
            return stepSeconds + byMemory.seconds(layers) + (isLast ? byMemory.headSeconds : 0)
        }
        return nil
    }
}

extension GroupCandidate.Sharing {
    fileprivate init(_ nodes: [Int], _ counts: PartCounts, _ predictor: Predictor, _ load: Workload) {
        let timing = predictor.timing(nodes, counts, load)
        var sum = 0.0
        prefixSeconds =
            [0]
            + predictor.kindOf.map { kind in
                sum += timing.layerSeconds[kind] + timing.layerSynchronisationSeconds
                return sum
            }
        headSeconds = timing.headSeconds + timing.headSynchronisationSeconds
        var limits = (plain: predictor.layerCount, withHead: predictor.layerCount)
        for (rank, node) in nodes.enumerated() {
            let (heads, blocks) = (counts.keyValueHeads[rank], counts.feedForwardBlocks[rank])
            // The largest kind of layer, so that what is promised holds for any.
            let layer =
                predictor.kinds.indices.reduce(0) {
                    max($0, predictor.layerByteCount(node, kind: $1, heads: heads, blocks: blocks))
                } + predictor.keyValueByteCount(heads: heads, layers: 1)
            let free = predictor.cluster.memoryByteCounts[node] - predictor.workspaceByteCount
            let head = predictor.headByteCount(node, chunks: counts.vocabularyChunks[rank])
            // A hair less, as bytes are added up in another order elsewhere.
            func count(_ free: Double) -> Int { free < 0 ? -1 : Int(min(free / layer * (1 - 1e-12), 1e6)) }
            limits.plain = min(limits.plain, count(free))
            limits.withHead = min(limits.withHead, count(free - head))
        }
        limit = limits.plain
        limitWithHead = limits.withHead
    }
}
