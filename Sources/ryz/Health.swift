import ArgumentParser
import ClusterClient
import ClusterCore
import CommandSupport
import Kernels
import OperatorTools
import Transport

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the nodes of a cluster and its state.",
        discussion: """
            Example:
              ryz health --coordinator http://192.168.1.10:8080 --watch

            The exit status is 0 if the cluster is healthy, 1 if it is degraded or recovers from a loss, 2 if it is down or
            cannot be reached.
            With --watch, it is that of the last look.

            USED and FREE are the worker's memory and what its machine has left; KV is how much of the cache for keys
            and values is taken; STAGE is stage.rank and HEADS the KV heads, where workers share stages; BEAT is the time since the last heartbeat and RTT how long one takes there and back.
            """)

    @OptionGroup var cluster: CoordinatorOption
    @Flag(help: "Print JSON.")
    var json = false
    @Flag(help: "Look again every second, until Ctrl-C.")
    var watch = false
    @Flag(help: "Show further figures of each node.")
    var verbose = false

    private static let unreachable: Int32 = 2

    func run() async throws {
        var timeouts = ClusterClient.Timeouts()
        timeouts.read = .seconds(5)
        let client = try cluster.client(timeouts: timeouts)
        let status = LastStatus()
        _ = try await Interruption.cancelling {
            repeat {
                await status.set(try await look(client))
                if watch { try await Task.sleep(for: .seconds(1)) }
            } while watch
        }
        let code = await status.value
        if code != 0 { throw ExitCode(code) }
    }

    /// Prints the state once and returns the exit status for it.
    private func look(_ client: ClusterClient) async throws -> Int32 {
        do {
            let health = try await client.health()
            show(try text(health))
            return HealthTable.exitStatus(health.state)
        } catch let error as ClusterClientError {
            if watch, Terminal.hasOutput {
                show("\(error)".printable)
            } else {
                Terminal.writeError("Error: \(error)".printable)
            }
            return Self.unreachable
        }
    }

    private func text(_ health: ClusterHealth) throws -> String {
        if json { return try JSONOutput.text(health, isPretty: !watch) }
        var table = HealthTable()
        table.isColoured = Terminal.showsColours
        table.isVerbose = verbose
        if let columnCount = TerminalSize.columnCount { table.pictureWidth = columnCount }
        return table.text(health)
    }

    private func show(_ text: String) {
        guard watch, Terminal.hasOutput, !json else { return Terminal.write(text + (watch && !json ? "\n\n" : "\n")) }
        // From the top of the screen, each line over the old one: no flicker.
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { $0 + "\u{1B}[K\n" }
        Terminal.write("\u{1B}[H" + lines.joined() + "\u{1B}[J")
    }
}

/// The exit status of the last look at the cluster.
private actor LastStatus {
    private(set) var value: Int32 = 0

    func set(_ value: Int32) { self.value = value }
}
