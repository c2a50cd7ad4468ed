import Transport

extension EnvelopeRules {
    func check(_ assignment: StageAssignment) throws(WireError) {
        try text(assignment.modelFile.path, "assignment.modelFile.path", 1...limits.maximumTextByteCount)
        try digest(assignment.modelFile.headerDigest, "assignment.modelFile.headerDigest")
        try range(assignment.stageCount, "assignment.stageCount", 1...limits.maximumStageCount)
        try range(assignment.stage, "assignment.stage", 0...assignment.stageCount - 1)
        try range(assignment.ranks.count, "assignment.ranks.count", 1...limits.maximumRankCount)
        try range(assignment.rank, "assignment.rank", 0...assignment.ranks.count - 1)
        try range(assignment.layers.lowerBound, "assignment.layers", 0...limits.maximumLayerCount - 1)
        try range(
            assignment.layers.upperBound, "assignment.layers",
            assignment.layers.lowerBound + 1...limits.maximumLayerCount)
        try checkRanks(of: assignment)
        try checkNext(of: assignment)
        try checkNodes(of: assignment)
        try range(assignment.contextLength, "assignment.contextLength", 1...limits.maximumContextLength)
        try range(
            assignment.keyValueTokenCapacity, "assignment.keyValueTokenCapacity", 1...limits.maximumKeyValueTokenCount)
        try range(
            assignment.maximumStepRowCount, "assignment.maximumStepRowCount", 1...limits.maximumStepTokenCount)
    }

    /// Ranks hold neighbouring ranges in order, from the first part on.
    private func checkRanks(of assignment: StageAssignment) throws(WireError) {
        var before = RankShare(keyValueHeads: 0..<0, feedForwardBlocks: 0..<0, vocabularyChunks: 0..<0)
        for (index, rank) in assignment.ranks.enumerated() {
            let place = "assignment.ranks[\(index)]"
            try check(rank.peer, "\(place).peer")
            try parts(
                rank.share.keyValueHeads, after: before.keyValueHeads, "\(place).share.keyValueHeads", minimum: 1)
            try parts(
                rank.share.feedForwardBlocks, after: before.feedForwardBlocks, "\(place).share.feedForwardBlocks",
                minimum: 1)
            try parts(
                rank.share.vocabularyChunks, after: before.vocabularyChunks, "\(place).share.vocabularyChunks",
                minimum: 0)
            before = rank.share
        }
    }

    private func parts(
        _ parts: Range<Int>, after before: Range<Int>, _ field: String, minimum: Int
    ) throws(WireError) {
        guard parts.lowerBound == before.upperBound else {
            throw .invalid(field: field, problem: "begins with \(parts.lowerBound) instead of \(before.upperBound)")
        }
        guard parts.count >= minimum else { throw .invalid(field: field, problem: "is empty") }
        try range(parts.upperBound, field, 0...limits.maximumPartCount)
    }

    /// Rank 0 has a next one on every stage but the last, whatever the numbers of ranks are.
    private func checkNext(of assignment: StageAssignment) throws(WireError) {
        try count(assignment.next.count, "assignment.next", limit: limits.maximumRankCount)
        if assignment.isLastStage, !assignment.next.isEmpty {
            throw .invalid(field: "assignment.next", problem: "the last stage has no next one")
        }
        if !assignment.isLastStage, assignment.rank == 0, assignment.next.isEmpty {
            throw .invalid(field: "assignment.next", problem: "is missing, but this is not the last stage")
        }
        for (index, peer) in assignment.next.enumerated() { try check(peer, "assignment.next[\(index)]") }
    }

    /// A node has one place in a pipeline, and the coordinator none.
    private func checkNodes(of assignment: StageAssignment) throws(WireError) {
        var nodes: Set<NodeID> = [.coordinator]
        func insert(_ node: NodeID, _ field: String) throws(WireError) {
            guard nodes.insert(node).inserted else {
                throw .invalid(field: field, problem: "\(node) has another place already")
            }
        }
        for (index, rank) in assignment.ranks.enumerated() {
            try insert(rank.peer.node, "assignment.ranks[\(index)].peer.node")
        }
        for (index, peer) in assignment.next.enumerated() {
            try insert(peer.node, "assignment.next[\(index)].node")
        }
        guard (assignment.previous == .coordinator) == assignment.isFirstStage else {
            throw .invalid(
                field: "assignment.previous",
                problem: "is \(assignment.previous); steps come from the coordinator on stage 0 and nowhere else")
        }
        if !assignment.isFirstStage { try insert(assignment.previous, "assignment.previous") }
    }

    func check(_ peer: Peer, _ place: String) throws(WireError) {
        try endpoint(peer.dataEndpoint, "\(place).dataEndpoint")
        try hostID(peer.hostID, "\(place).hostID")
    }
}
