import ArgumentParser
import ClusterClient

/// `--coordinator`, for commands that ask a running cluster.
struct CoordinatorOption: ParsableArguments {
    @Option(help: "Where the cluster's coordinator speaks HTTP.")
    var coordinator = "http://127.0.0.1:8080"

    func client(timeouts: ClusterClient.Timeouts = .init()) throws -> ClusterClient {
        do {
            return ClusterClient(try CoordinatorAddress(coordinator), timeouts: timeouts)
        } catch {
            throw ValidationError("\(error)")
        }
    }
}
