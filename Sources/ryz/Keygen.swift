import ArgumentParser
import CommandSupport
import Transport
import ZeroMQ

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the keys with which a cluster's links are encrypted, or those of HTTP clients.",
        discussion: """
            Examples:
              ryz keygen box-1 box-2
              ryz keygen --client web-shop

            On the head node. Makes the coordinator's key if there is none yet, and a key file for each worker, which is to
            be taken to its machine: ryz-worker --key box-1.key. The coordinator uses the folder with security: keys in
            cluster.yaml. With --client it makes a key for a client of the HTTP API and prints it, once: only its hash is
            kept. The coordinator wants one from every client with http_security: keys. A coordinator that runs takes new
            keys over within two seconds.
            """)

    @Argument(help: "The names of workers that get a key.")
    var workers: [String] = []
    @Option(help: "The name of a client that gets a key.")
    var client: String?
    @Flag(help: "The client may also change the cluster: drain workers, measure, shut down.")
    var `operator` = false
    @OptionGroup var folder: KeyFolderOption

    func validate() throws {
        guard workers.isEmpty != (client == nil) else {
            throw ValidationError("give the names of workers, or --client NAME")
        }
        guard client != nil || !`operator` else { throw ValidationError("--operator goes with --client") }
        try KeyFolderOption.check(workers + [client].compactMap(\.self))
        guard Set(workers).count == workers.count else { throw ValidationError("a name is given twice") }
    }

    func run() throws {
        let folder = folder.folder
        if let client = client.flatMap({ NodeID($0) }) {
            Terminal.write(try folder.clients.add(client, `operator` ? .operator : .client) + "\n")
            if Terminal.hasErrors {
                Terminal.writeError(
                    "Give it to \(client); it is not shown again. Clients send it as Authorization: Bearer KEY.")
            }
            return
        }
        for file in try folder.add(workers.compactMap { NodeID($0) }, newKeys: { try KeyPair.random() }) {
            Terminal.write("\(file.path)\n")
        }
        if Terminal.hasErrors {
            Terminal.writeError("Take each file to its worker, start it with --key FILE, and delete it here.")
        }
    }
}
