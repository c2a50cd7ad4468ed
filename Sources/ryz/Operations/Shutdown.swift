import ArgumentParser
import ClusterClient
import ClusterCore

struct Shutdown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends a cluster in good order: its requests, its workers, its coordinator.",
        discussion: """
            Example:
              ryz shutdown --coordinator http://192.168.1.10:8080

            New requests are refused with 503. Those that are open may go on for shutdown_seconds. Then the workers leave and
            their processes end, and the coordinator's after them. The command ends with it. To stop the coordinator alone,
            send it SIGTERM: workers then wait for another one.
            """)

    @OptionGroup var cluster: CoordinatorOption

    func run() async throws {
        let operation = try OperationProgress(cluster)
        try await operation.client.operate(.shutDown)
        do {
            _ = try await operation.watch({ _ in "waiting for the cluster to end" }) { _ in false }
        } catch ClusterClientError.unreachable, ClusterClientError.connectionLost {
            // It can only be gone: before that, it had answered.
        }
    }
}
