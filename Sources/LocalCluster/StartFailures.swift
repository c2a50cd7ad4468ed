import ClusterCore

/// Who failed while a cluster starts. The coordinator tries again soon, as what failed may have been a busy moment of the
/// machine; whoever fails once more is given up, and so is who is not tried again.
struct StartFailures {
    private var failing: Set<String> = []
    private var failedBefore: Set<String> = []

    /// A node that is given up, from what health says of all; nil if none is. To be asked more often than failures follow
    /// each other.
    mutating func final(of nodes: [NodeHealth]) -> NodeHealth? {
        let failed = nodes.filter { $0.state != .ready && !$0.detail.isEmpty }
        let final = failed.first { node in
            node.secondsUntilRetry == nil || (failedBefore.contains(node.name) && !failing.contains(node.name))
        }
        failing = Set(failed.map(\.name))
        failedBefore.formUnion(failing)
        return final
    }
}
