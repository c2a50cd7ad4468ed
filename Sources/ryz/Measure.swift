import ArgumentParser
import ClusterClient
import ClusterCore
import CommandSupport
import OperatorTools

struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Has the workers of a cluster measure themselves and the links between them anew.",
        discussion: """
            Example:
              ryz measure --coordinator http://192.168.1.10:8080

            A cluster that is not idle is not measured. One after the other, each worker runs its kernels for less than a
            second, then each pair of workers sends messages to and fro. Requests that come meanwhile go first.

            TERNARY and OTHER are the bytes of such weights that a worker reads in a second while it decodes, GMAC/S the
            billions of multiply–adds in a second of prefill; HOST is what all cores of its machine read together. The
            figures are also shown by ryz health --verbose; plans are made from them: ryz plan --coordinator.

            The exit status is 1 if something could not be measured.
            """)

    @OptionGroup var cluster: CoordinatorOption
    @Flag(help: "Print the cluster's health as JSON, with the figures in it.")
    var json = false

    func run() async throws {
        let progress = try OperationProgress(cluster)
        _ = try await progress.client.measure()
        let health = try await progress.watch({ "measuring: \($0.measuring.pendingCount) to go" }) {
            $0.measuring.pendingCount == 0
        }
        var table = MeasurementTable()
        table.isColoured = Terminal.showsColours
        Terminal.write(
            (json ? try JSONOutput.text(health, isPretty: true) : table.lines(health).joined(separator: "\n")) + "\n")
        if !health.measuring.problems.isEmpty { throw ExitCode.failure }
    }
}
