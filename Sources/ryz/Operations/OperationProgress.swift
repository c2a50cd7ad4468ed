import ArgumentParser
import ClusterClient
import ClusterCore
import CommandSupport
import Kernels
import OperatorTools
import Transport

/// Begins an operation on a running cluster and watches it until it is done.
struct OperationProgress {
    let client: ClusterClient

    private static let pollInterval = Duration.milliseconds(100)

    init(_ cluster: CoordinatorOption) throws { client = try cluster.client() }

    /// - Parameters:
    ///   - waiting: what is shown meanwhile.
    ///   - isDone: looks at the cluster's health.
    func run(
        _ operation: ClusterOperation, waiting: String, until isDone: @escaping @Sendable (ClusterHealth) -> Bool
    ) async throws {
        try await client.operate(operation)
        Self.show(try await watch({ "\(waiting): \($0.reason)" }, until: isDone))
    }

    /// - Returns: the health when it was done.
    func watch(
        _ waiting: @escaping @Sendable (ClusterHealth) -> String,
        until isDone: @escaping @Sendable (ClusterHealth) -> Bool
    ) async throws -> ClusterHealth {
        let progress = ProgressLine()
        defer { progress.clear() }
        let health: ClusterHealth? = try await Interruption.cancelling {
            while true {
                let health = try await client.health()
                if isDone(health) { return health }
                progress.show(waiting(health).printable)
                try await Task.sleep(for: Self.pollInterval)
            }
        }
        // The cluster goes on by itself.
        guard let health else { throw Interruption.exitCode }
        return health
    }

    private static func show(_ health: ClusterHealth) {
        var table = HealthTable()
        table.isColoured = Terminal.showsColours
        if let columnCount = TerminalSize.columnCount { table.pictureWidth = columnCount }
        Terminal.write(table.text(health) + "\n")
    }

    static func node(_ name: String) throws -> NodeID {
        guard let node = NodeID(name) else {
            throw ValidationError("\(name.printable) is no worker's name; see ryz health")
        }
        return node
    }
}

extension ClusterHealth {
    /// Whether nothing is being moved, and nobody waits for a move.
    var isSettled: Bool {
        state != .recovering && !nodes.contains { $0.state == .loading || $0.state == .draining }
    }

    func state(of node: NodeID) -> NodeHealth.State? { nodes.first { $0.name == node.name }?.state }
}
