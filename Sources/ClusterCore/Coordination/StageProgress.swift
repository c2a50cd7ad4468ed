import Transport

/// How many rows went into the pipeline, against how many each node says that it has computed: whose turn it is when
/// nothing comes out.
struct StageProgress: Sendable {
    /// Rows of all steps that were sent in this epoch.
    var sentRowCount: UInt64 = 0
    /// False once a step has failed, as only the stages before the failure have computed it.
    var isReliable = true
    /// What each node had computed when the epoch began to serve, in order of stages and ranks.
    private var startCounts: [UInt64] = []

    mutating func start(_ pipeline: PlacedPipeline, _ members: [Member]) {
        self = StageProgress()
        startCounts = pipeline.nodes.map { computedCount(of: $0, members) }
    }

    /// Who has not computed the oldest step in flight and is the only one in the first stage that has not, as far as can
    /// be known. Ranks wait for each other, so several that have not tell nothing of each other.
    func owingNode(of pipeline: PlacedPipeline, members: [Member], newerRowCount: Int) -> NodeID? {
        let nodes = pipeline.nodes
        if nodes.count == 1 { return nodes[0] }
        for node in nodes {
            if case .suspect? = members.first(where: { $0.node == node })?.state { return node }
        }
        guard isReliable, startCounts.count == nodes.count else { return nil }
        let owed = sentRowCount - min(sentRowCount, UInt64(newerRowCount))
        var rest = startCounts[...]
        for stage in pipeline.stages {
            let owing = zip(stage.nodes, rest).filter { node, startCount in
                let count = computedCount(of: node, members)
                return count - min(count, startCount) < owed
            }
            if let first = owing.first { return owing.count == 1 ? first.0 : nil }
            rest = rest.dropFirst(stage.ranks.count)
        }
        return nil
    }

    private func computedCount(of node: NodeID, _ members: [Member]) -> UInt64 {
        members.first { $0.node == node }?.lastHeartbeat?.computedTokenCount ?? 0
    }
}
