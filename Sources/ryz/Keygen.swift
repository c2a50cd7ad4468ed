import ArgumentParser
import CommandSupport
import Transport
import ZeroMQ

struct Keygen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes the keys with which a cluster's links are encrypted.",
        discussion: """
            Example:
              ryz keygen box-1 box-2

            On the head node. Makes the coordinator's key if there is none yet, and a key file for each worker, which is to
            be taken to its machine: ryz-worker --key box-1.key. The coordinator uses the folder with security: keys in
            cluster.yaml.
            """)

    @Argument(help: "The names of workers that get a key.")
    var workers: [String]
    @Option(help: "The folder of the keys. By default ${RYZ_HOME:-~/.ryz}/keys.")
    var keys: String?

    func validate() throws {
        for name in workers where NodeID(name) == nil || NodeID(name) == .coordinator {
            throw ValidationError(
                "\(name): a worker's name has 1 to 64 letters, digits, dots, dashes and underscores, and is not that of "
                    + "the coordinator")
        }
        guard Set(workers).count == workers.count else { throw ValidationError("a name is given twice") }
    }

    func run() throws {
        let folder = KeyFolder(path: keys ?? RyzHome.keysFolder)
        for file in try folder.add(workers.compactMap { NodeID($0) }, newKeys: { try KeyPair.random() }) {
            Terminal.write("\(file.path)\n")
        }
        if Terminal.hasErrors {
            Terminal.writeError("Take each file to its worker, start it with --key FILE, and delete it here.")
        }
    }
}
