import ClusterClient

extension LocalCluster {
    /// Waits until the cluster is healthy and has nothing to do.
    ///
    /// - Throws: `LocalClusterError.notReady` when `limit` has passed, `ClusterClientError`, or `CancellationError`.
    func rest(within limit: Duration, _ report: (String) -> Void) async throws {
        let client = ClusterClient(address)
        let deadline = ContinuousClock.now + limit
        while true {
            let health = try await client.health()
            if health.state == .healthy, health.runningRequestCount == 0, health.queuedRequestCount == 0 { return }
            report("waiting for the cluster to be healthy and idle: \(health.reason) …")
            guard ContinuousClock.now < deadline else {
                throw LocalClusterError.notReady(
                    afterSeconds: Int(limit.components.seconds),
                    reason: "\(health.runningRequestCount) requests still run; \(health.reason)")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
