import Transport

/// How many rows went into the pipeline, against how many each stage says that it has computed: whose turn it is when
/// nothing comes out.
struct StageProgress: Sendable {
    /// Rows of all steps that were sent in this epoch.
    var sentRowCount: UInt64 = 0
    /// False once a step has failed, as only the stages before the failure have computed it.
    var isReliable = true
    /// What each stage had computed when the epoch began to serve, in order of stages.
    private var startCounts: [UInt64] = []

    mutating func start(_ pipeline: PlacedPipeline, _ members: [Member]) {
        self = StageProgress()
        startCounts = pipeline.stages.map { computedCount(of: $0.peer.node, members) }
    }

    /// The first stage that has not computed the oldest step in flight, as far as can be known.
    func owingStage(of pipeline: PlacedPipeline, members: [Member], newerRowCount: Int) -> NodeID? {
        let nodes = pipeline.stages.map(\.peer.node)
        if nodes.count == 1 { return nodes[0] }
        for node in nodes {
            if case .suspect? = members.first(where: { $0.node == node })?.state { return node }
        }
        guard isReliable, startCounts.count == nodes.count else { return nil }
        let owed = sentRowCount - min(sentRowCount, UInt64(newerRowCount))
        for (node, startCount) in zip(nodes, startCounts) {
            let count = computedCount(of: node, members)
            if count - min(count, startCount) < owed { return node }
        }
        return nil
    }

    private func computedCount(of node: NodeID, _ members: [Member]) -> UInt64 {
        members.first { $0.node == node }?.lastHeartbeat?.computedTokenCount ?? 0
    }
}
