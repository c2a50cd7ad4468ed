import ClusterClient
import ClusterCore
import OperatorTools

/// What a cluster is asked.
struct ClusterLoad: Sendable {
    /// A file or folder.
    var model: String
    var prompt: [Int32]
    var generate: Int
    /// Streams at a time.
    var concurrency: Int

    /// The last part of its path.
    var modelName: String { model.split(separator: "/").last.map(String.init) ?? model }

    /// What the planner says of the cluster as it is, in tokens per second of all streams, once all that it needs has
    /// been measured.
    func predict(_ address: CoordinatorAddress) async throws -> Double {
        let client = ClusterClient(address)
        // Now, and not when a worker's kept figures were measured: what else a machine does changes by the minute.
        try await awaitMeasuring(by: client)
        _ = try await client.measure()
        try await awaitMeasuring(by: client)
        let input = try await client.planningInput()
        guard input.missing.isEmpty else {
            throw InputError.unexpected(path: "\(address)", problem: input.missing.joined(separator: "; "))
        }
        guard let costs = input.model else {
            throw InputError.unexpected(path: model, problem: "the coordinator does not say what it costs")
        }
        let prediction = try Planner.predict(
            stages(of: try await client.health()), input.measurements, costs,
            PlanRequest(
                objective: concurrency == 1 ? .latency : .throughput, concurrency: concurrency,
                contextLength: input.contextLength, keyValueTokenCapacity: input.keyValueTokenCapacity,
                promptLength: prompt.count, maximumStepRowCount: input.maximumStepRowCount)
        ).prediction
        return concurrency == 1 ? prediction.tokensPerSecond : prediction.throughputTokensPerSecond
    }

    private func awaitMeasuring(by client: ClusterClient) async throws {
        let deadline = ContinuousClock.now + Self.measuringTimeout
        while case let count = try await client.health().measuring.pendingCount, count > 0 {
            guard ContinuousClock.now < deadline else {
                throw InputError.unexpected(
                    path: "\(client.address)",
                    problem: "\(count) of its workers and links are not measured after \(Self.measuringTimeout)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// Who holds what, as the cluster says.
    private func stages(of health: ClusterHealth) -> [(nodes: [String], layers: Range<Int>)] {
        let ranks = health.nodes.compactMap { node in
            node.stage.flatMap { stage in
                node.rank.map { (stage: stage, rank: $0, name: node.name, first: node.firstLayer, end: node.endLayer) }
            }
        }.sorted { ($0.stage, $0.rank) < ($1.stage, $1.rank) }
        return Dictionary(grouping: ranks, by: \.stage).sorted { $0.key < $1.key }.map { _, ranks in
            (ranks.map(\.name), (ranks[0].first ?? 0)..<(ranks[0].end ?? 0))
        }
    }

    private static let measuringTimeout = Duration.seconds(60)

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
