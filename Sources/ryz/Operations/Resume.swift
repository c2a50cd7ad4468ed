import ArgumentParser
import ClusterCore

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lets a worker be used again that was drained.",
        discussion: """
            Example:
              ryz resume big-box

            It is a spare then. If the model is placed on fewer workers than wanted it is brought in by itself, unless
            cluster.yaml says rebalance: manual; see ryz rebalance.
            """)

    @Argument(help: "The worker's name, as ryz health shows it.")
    var node: String
    @OptionGroup var cluster: CoordinatorOption

    func run() async throws {
        let node = try OperationProgress.node(node)
        try await OperationProgress(cluster).run(.resume(node), waiting: "resuming \(node)") { health in
            let state = health.state(of: node)
            return state != .draining && state != .drained
        }
    }
}
