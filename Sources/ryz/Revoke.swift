import ArgumentParser
import CommandSupport
import Transport

struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Takes keys back: of workers, or of a client of the HTTP API.",
        discussion: """
            Examples:
              ryz revoke box-2
              ryz revoke --client web-shop

            On the head node. A coordinator that runs acts on it within two seconds: a worker is lost to the cluster, and
            another takes its place as after a failure; a client's next request is refused.
            """)

    @Argument(help: "The names of workers.")
    var workers: [String] = []
    @Option(help: "The name of a client.")
    var client: String?
    @OptionGroup var folder: KeyFolderOption

    func validate() throws {
        guard workers.isEmpty != (client == nil) else {
            throw ValidationError("give the names of workers, or --client NAME")
        }
        try KeyFolderOption.check(workers + [client].compactMap(\.self))
    }

    func run() throws {
        let folder = folder.folder
        if let client = client.flatMap({ NodeID($0) }) { try folder.clients.remove(client) }
        for worker in workers.compactMap({ NodeID($0) }) { try folder.remove(worker) }
    }
}
