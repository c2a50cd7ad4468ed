import ClusterClient
import OperatorTools

/// What a cluster is asked.
struct ClusterLoad: Sendable {
    var prompt: [Int32]
    var generate: Int
    /// Streams at a time.
    var concurrency: Int

    /// Asks first for one token and then for all, so that the difference is what generating takes.
    func measure(_ address: CoordinatorAddress) async throws -> ClusterReport.Round {
        let client = ClusterClient(address)
        // What is computed first pays for memory that nobody has touched yet.
        try await client.generate(prompt, count: 2)
        let first = try await seconds(client, count: 1)
        let all = try await seconds(client, count: generate)
        return ClusterReport.Round(
            firstTokenSeconds: first,
            tokensPerSecond: Double((generate - 1) * concurrency) / max(all - first, .leastNormalMagnitude))
    }

    /// Until all streams have ended.
    private func seconds(_ client: ClusterClient, count: Int) async throws -> Double {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask { _ = try await client.generate(prompt, count: count) }
            }
            try await group.waitForAll()
        }
        return start.duration(to: .now) / .seconds(1)
    }
}
