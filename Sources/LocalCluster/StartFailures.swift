import ClusterCore

/// Who failed while a cluster starts. The coordinator tries again soon, as what failed may have been a busy moment of the
/// machine; whoever fails once more is given up, and so is who is not tried again.
struct StartFailures {
    private var failedBefore: Set<String> = []
    /// Seconds until the next try of those that have failed, which grow with a further failure only.
    private var delays: [String: Double] = [:]

    /// A node that is given up, from what health says of all now; nil if none is.
    mutating func final(of nodes: [NodeHealth]) -> NodeHealth? {
        let failed = nodes.filter { $0.state != .ready && !$0.detail.isEmpty }
        let final = failed.first { node in
            guard let delay = node.secondsUntilRetry else { return true }
            return delays[node.name].map { $0 < delay } ?? failedBefore.contains(node.name)
        }
        delays = [:]
        for node in failed { delays[node.name] = node.secondsUntilRetry }
        failedBefore.formUnion(failed.map(\.name))
        return final
    }
}
