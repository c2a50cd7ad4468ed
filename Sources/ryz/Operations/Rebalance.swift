import ArgumentParser
import ClusterCore

struct Rebalance: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Places the model on more workers, if it is placed on fewer than wanted and others have come.",
        discussion: """
            Example:
              ryz rebalance

            Streams pause while parts are loaded, and go on with the bytes that they would have had. With rebalance: auto,
            which is the default, it happens by itself when the cluster is idle, or after rebalance_seconds.
            """)

    @OptionGroup var cluster: CoordinatorOption

    func run() async throws {
        try await OperationProgress(cluster).run(.rebalance, waiting: "rebalancing") { $0.isSettled }
    }
}
