public import ClusterCore

extension LocalCluster {
    /// What a cluster that is not ready yet is busy with, in words: `worker-1 ready, worker-2 loading …`.
    public static func progress(of health: ClusterHealth, workerCount: Int) -> String {
        let known = health.nodes.map { "\($0.name) \($0.state.rawValue)" }
        let missing = max(0, workerCount - health.nodes.count)
        let waiting = missing > 0 ? ["\(missing) of \(workerCount) workers starting"] : []
        let allReady = missing == 0 && health.nodes.allSatisfy { $0.state == .ready || $0.state == .spare }
        if allReady { return "sending the first token through \(workerCount) workers …" }
        return (known + waiting).joined(separator: ", ") + " …"
    }
}
