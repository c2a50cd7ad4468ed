import ArgumentParser
import ClusterCore

struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Moves the work of a worker to others, so that its machine can be stopped.",
        discussion: """
            Example:
              ryz drain big-box && ssh big-box sudo reboot

            A spare takes its place, or those that are left do; streams pause and go on with the bytes that they would have
            had. When it holds nothing the command ends. The worker stays in the cluster, also after its process has been
            started anew, and is used for nothing until ryz resume.

            Where nobody can take over, it is refused with the reason. With --force it is drained all the same: requests wait
            for failover_seconds, then end with 503.
            """)

    @Argument(help: "The worker's name, as ryz health shows it.")
    var node: String
    @Flag(help: "Drain it also where no other worker can take over.")
    var force = false
    @OptionGroup var cluster: CoordinatorOption

    func run() async throws {
        let node = try OperationProgress.node(node)
        try await OperationProgress(cluster).run(
            .drain(node, isForced: force), waiting: "draining \(node)"
        ) { health in
            guard let state = health.state(of: node), state != .lost, state != .left else { return true }
            return state == .drained && (force || health.isSettled)
        }
    }
}
