import Transport

/// Who takes which place.
extension Placement {
    /// A placement over fewer workers than the operator wants.
    struct Reduction: Sendable {
        /// When the wait for those that are missing is over.
        var from: Instant
        var stages: [PlacedPipeline.Stage]
        /// What keeps them from holding the model; nil if they can, as far as is known.
        var shortage: String?
    }

    /// The workers that may have a part.
    var available: [Worker] { workers.filter { $0.setAside == nil && !isDrained($0.peer.node) } }

    /// The next pipeline as the operator wants it; nil if there are not enough workers.
    var fullStages: [PlacedPipeline.Stage]? {
        let count = configuration.resolvedShape.reduce(0, +)
        let peers: [Peer]
        switch configuration.selection {
        case .count:
            guard lastNodes.isEmpty else {
                peers = seated(count, of: available.map(\.peer))
                break
            }
            peers = firstSeated(count)
        case .named(let named):
            peers = named.prefix(count).compactMap { worker in
                available.first { $0.peer.node == worker.node }?.peer
            }
        }
        guard peers.count == count, let split = try? configuration.split() else { return nil }
        return stages(of: peers, configuration.resolvedShape, split)
    }

    /// A pipeline of all workers that are there, one in each stage; nil if there are none, or the operator has fixed
    /// the stages or their layers.
    func reduction(from start: Instant) -> Reduction? {
        guard configuration.mayTakeFewerWorkers else { return nil }
        var left = available
        if case .named(let named) = configuration.selection {
            left = named.compactMap { worker in left.first { $0.peer.node == worker.node } }
        }
        let count = min(left.count, configuration.layout.layerCount)
        let shape = [Int](repeating: 1, count: count)
        guard count > 0, let split = try? LayerSplit.balanced(configuration.layout, over: shape) else { return nil }
        let stages = stages(of: seated(count, of: left.map(\.peer)), shape, split)
        return Reduction(from: start, stages: stages, shortage: shortage(of: stages))
    }

    /// Those that joined first, in order of name; but those that hold a part from before, under another coordinator, take
    /// the places that need it.
    private func firstSeated(_ count: Int) -> [Peer] {
        let available = available
        var others = available.prefix(count).sorted { $0.peer.node < $1.peer.node }
        guard available.count >= count, let split = try? configuration.split(),
            others.contains(where: { $0.heldPart != 0 })
        else { return others.map(\.peer) }
        let pipeline = PlacedPipeline(
            epoch: epoch, stages: stages(of: others.map(\.peer), configuration.resolvedShape, split))
        var seats = pipeline.assignments(configuration).map { assignment -> Peer? in
            guard let index = others.firstIndex(where: { $0.heldPart == assignment.partDigest }) else { return nil }
            return others.remove(at: index).peer
        }
        for seat in seats.indices where seats[seat] == nil && !others.isEmpty {
            seats[seat] = others.removeFirst().peer
        }
        return seats.compactMap(\.self)
    }

    /// As many as there are places, in order of stages and ranks; fewer if there are not enough. Those of the last
    /// pipeline keep their places, and with them what they have loaded; others take the empty ones, those first that
    /// joined first and have not failed since, but before them those that have loaded just that.
    private func seated(_ count: Int, of peers: [Peer]) -> [Peer] {
        guard !lastNodes.isEmpty else { return peers.prefix(count).sorted { $0.node < $1.node } }
        var others = peers.filter { !lastNodes.contains($0.node) }[...]
        var seats = lastNodes.map { node in peers.first { $0.node == node } }
        if lastNodes.count == count {
            for seat in seats.indices where seats[seat] == nil {
                guard let index = others.firstIndex(where: { holds($0.node, lastParts[seat]) }) else { continue }
                seats[seat] = others.remove(at: index)
            }
            return seats.compactMap { $0 ?? others.popFirst() }
        }
        return Array((seats.compactMap(\.self) + others).prefix(count))
    }

    /// The workers fill the stages in their order.
    private func stages(of peers: [Peer], _ shape: [Int], _ split: LayerSplit) -> [PlacedPipeline.Stage] {
        var rest = peers[...]
        return zip(shape, split.ranges).map { rankCount, layers in
            let shares = configuration.parts.shares(weights: [UInt64](repeating: 1, count: rankCount))
            defer { rest = rest.dropFirst(rankCount) }
            return PlacedPipeline.Stage(
                ranks: zip(rest, shares).map { StageRank(peer: $0, share: $1) }, layers: layers)
        }
    }

    /// Who has too little memory for its stage, by name; nil if nobody has, as far as is known.
    func shortage(of stages: [PlacedPipeline.Stage]) -> String? {
        let short = stages.compactMap { stage -> String? in
            let node = stage.ranks[0].peer.node
            guard let has = workers.first(where: { $0.peer.node == node })?.availableByteCount else { return nil }
            let needs = configuration.byteCount(of: stage.layers)
            return needs > has ? "\(node) needs \(needs.mebibytes) of memory and has \(has.mebibytes)" : nil
        }
        return short.isEmpty ? nil : short.joined(separator: ", ")
    }
}

extension PlacementConfiguration {
    /// Whether the model may be placed on fewer workers than wanted: not if the operator has said who holds what.
    var mayTakeFewerWorkers: Bool {
        guard shape == nil else { return false }
        switch selection {
        case .count: return true
        case .named(let workers): return workers.allSatisfy { $0.layers == nil }
        }
    }

    /// Memory that a stage of one rank takes: its weights, and its KV cache when full.
    func byteCount(of layers: Range<Int>) -> UInt64 {
        var sum = layout.layerByteCounts[layers].reduce(0, +)
        if layers.lowerBound == 0 { sum += layout.embeddingByteCount }
        if layers.upperBound == layout.layerCount { sum += layout.headByteCount }
        return sum + UInt64(layers.count) * UInt64(keyValueTokenCapacity) * keyValueByteCount
    }
}

extension UInt64 {
    /// Such as `1536 MiB`, rounded up.
    fileprivate var mebibytes: String { "\((self + (1 << 20) - 1) >> 20) MiB" }
}
