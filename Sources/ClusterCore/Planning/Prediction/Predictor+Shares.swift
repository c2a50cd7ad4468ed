/// Who holds how much of a stage.
extension Predictor {
    /// The stage as it is to be computed.
    struct ResolvedStage: Equatable {
        var choice: StageChoice
        var counts: PartCounts
    }

    /// Settles the shares of each stage; nil if one does not fit its nodes.
    func resolve(_ stages: [StageChoice]) -> [ResolvedStage]? {
        var resolved: [ResolvedStage] = []
        for stage in stages {
            guard let counts = counts(stage) else { return nil }
            resolved.append(ResolvedStage(choice: stage, counts: counts))
        }
        return resolved
    }

    /// Shares by speed; where memory does not suffice for them, by speed as far as memory goes; else by memory.
    private func counts(_ stage: StageChoice) -> PartCounts? {
        let isLast = stage.layers.upperBound == layerCount
        if let counts = countsBySpeed(stage.nodes, isLast: isLast), fits(stage, counts) { return counts }
        if let counts = countsWithinMemory(stage, isLast: isLast), fits(stage, counts) { return counts }
        if let counts = countsByMemory(stage.nodes, isLast: isLast), fits(stage, counts) { return counts }
        return nil
    }

    private func fits(_ stage: StageChoice, _ counts: PartCounts) -> Bool {
        stage.nodes.indices.allSatisfy { rank in
            memoryByteCount(stage, counts, rank: rank) <= cluster.memoryByteCounts[stage.nodes[rank]]
        }
    }

    /// The shares with which the slowest rank is done soonest, whatever they take. Nil for more ranks than parts.
    func countsBySpeed(_ nodes: [Int], isLast: Bool) -> PartCounts? {
        let load = Workload.decode(streams: 1, context: request.promptLength)
        return counts(
            nodes, isLast: isLast,
            keyValueHead: { seconds($0, kinds[0].keyValueHead, rows: 1) + cacheSeconds($0, load) },
            feedForwardBlock: { seconds($0, kinds[0].feedForwardBlock, rows: 1) },
            vocabularyChunk: { seconds($0, costs.vocabularyChunk, rows: 1) })
    }

    /// Shares in proportion to what memory is left for them. Nil for more ranks than parts.
    func countsByMemory(_ nodes: [Int], isLast: Bool) -> PartCounts? {
        let unit = { (node: Int) in 1 / max(1, cluster.memoryByteCounts[node] - workspaceByteCount) }
        return counts(nodes, isLast: isLast, keyValueHead: unit, feedForwardBlock: unit, vocabularyChunk: unit)
    }

    private func counts(
        _ nodes: [Int], isLast: Bool, keyValueHead: (Int) -> Double, feedForwardBlock: (Int) -> Double,
        vocabularyChunk: (Int) -> Double
    ) -> PartCounts? {
        let parts = costs.parts
        guard nodes.count <= maximumRankCount else { return nil }
        guard nodes.count > 1 else {
            return PartCounts(
                keyValueHeads: [parts.keyValueHeadCount], feedForwardBlocks: [parts.feedForwardBlockCount],
                vocabularyChunks: [isLast ? parts.vocabularyChunkCount : 0])
        }
        func share(_ count: Int, _ seconds: (Int) -> Double, minimum: Int) -> [Int]? {
            PartCounts.leastMaximum(partCount: count, secondsPerPart: nodes.map(seconds), minimum: minimum)
        }
        guard let heads = share(parts.keyValueHeadCount, keyValueHead, minimum: 1),
            let blocks = share(parts.feedForwardBlockCount, feedForwardBlock, minimum: 1),
            let chunks = share(isLast ? parts.vocabularyChunkCount : 0, vocabularyChunk, minimum: 0)
        else { return nil }
        return PartCounts(keyValueHeads: heads, feedForwardBlocks: blocks, vocabularyChunks: chunks)
    }

    /// Shares by speed with each rank held to its memory: heads first, which bring their cache, then blocks, then
    /// chunks of the vocabulary.
    private func countsWithinMemory(_ stage: StageChoice, isLast: Bool) -> PartCounts? {
        let (nodes, parts) = (stage.nodes, costs.parts)
        guard nodes.count > 1, nodes.count <= maximumRankCount else { return nil }
        let depth = Double(stage.layers.count)
        let kind = kinds[kindOf[stage.layers.lowerBound]]
        let load = Workload.decode(streams: 1, context: request.promptLength)
        func bytes(_ amount: WeightAmount, _ node: Int) -> Double {
            amount.byteCount(ternaryBitsPerWeight: cluster.nodes[node].ternaryBitsPerWeight)
        }
        func limit(_ free: Double, _ part: Double) -> Int { part > 0 ? Int(min(max(free / part, 0), 1e9)) : 1 << 30 }

        var free = nodes.map { cluster.memoryByteCounts[$0] - workspaceByteCount - depth * kind.normByteCount }
        let blockBytes = nodes.map { depth * bytes(kind.feedForwardBlock, $0) }
        let headBytes = nodes.map {
            depth * bytes(kind.keyValueHead, $0) + keyValueByteCount(heads: 1, layers: stage.layers.count)
        }
        guard
            let heads = PartCounts.leastMaximum(
                partCount: parts.keyValueHeadCount,
                secondsPerPart: nodes.map { seconds($0, kind.keyValueHead, rows: 1) + cacheSeconds($0, load) },
                minimum: 1, limits: nodes.indices.map { limit(free[$0] - blockBytes[$0], headBytes[$0]) })
        else { return nil }
        for rank in nodes.indices { free[rank] -= Double(heads[rank]) * headBytes[rank] }
        guard
            let blocks = PartCounts.leastMaximum(
                partCount: parts.feedForwardBlockCount,
                secondsPerPart: nodes.map { seconds($0, kind.feedForwardBlock, rows: 1) }, minimum: 1,
                limits: nodes.indices.map { limit(free[$0], blockBytes[$0]) })
        else { return nil }
        for rank in nodes.indices { free[rank] -= Double(blocks[rank]) * blockBytes[rank] }
        guard
            let chunks = PartCounts.leastMaximum(
                partCount: isLast ? parts.vocabularyChunkCount : 0,
                secondsPerPart: nodes.map { seconds($0, costs.vocabularyChunk, rows: 1) }, minimum: 0,
                limits: nodes.indices.map { limit(free[$0], bytes(costs.vocabularyChunk, nodes[$0])) })
        else { return nil }
        return PartCounts(keyValueHeads: heads, feedForwardBlocks: blocks, vocabularyChunks: chunks)
    }
}
