import Foundation
public import Transport

/// The keys of a cluster, on the head node: the coordinator's own key, and the list of the workers' public keys. Beside
/// them lie the workers' key files, until they are taken to where they belong.
public struct KeyFolder: Sendable {
    public let path: String

    /// A line of 40 characters and a name for each of the most workers that a cluster tells of.
    private static let largestList = Keyring.maximumKeyCount * 120

    public init(path: String) { self.path = path }

    public var coordinatorPath: String { path + "/coordinator.key" }
    /// `NAME KEY`, line by line.
    public var workersPath: String { path + "/workers.keys" }
    public func workerPath(_ node: NodeID) -> String { path + "/\(node).key" }

    /// The keys of those who may speak HTTP.
    public var clients: ClientKeyList { ClientKeyList(path: path + "/clients.keys") }

    /// - Throws: `KeyFileError` that names the file, the problem and the remedy.
    public func coordinator() throws(KeyFileError) -> KeyFile { try KeyFile(path: coordinatorPath) }

    /// The workers that may join.
    public func workers() throws(KeyFileError) -> [NodeKey] {
        var keys: [NodeKey] = []
        for line in try KeyFileError.lines(of: workersPath, limit: Self.largestList) {
            let parts = line.split(separator: " ").map(String.init)
            guard parts.count == 2, let node = NodeID(parts[0]), let key = PublicKey(parts[1]) else {
                throw KeyFileError("\(workersPath): a line is no name and key; write NAME KEY")
            }
            guard !keys.contains(where: { $0.node == node || $0.publicKey == key }) else {
                throw KeyFileError("\(workersPath): \(node) or its key is there twice; keep one line")
            }
            keys.append(NodeKey(node: node, publicKey: key))
        }
        guard keys.count <= Keyring.maximumKeyCount else {
            throw KeyFileError(
                "\(workersPath): it has \(keys.count) workers; keep \(Keyring.maximumKeyCount) or fewer")
        }
        return keys
    }

    /// Makes the folder with the coordinator's key if it is not there, and a key for each worker.
    ///
    /// - Parameter newKeys: makes a key pair.
    /// - Returns: the files of the workers.
    public func add(_ workers: [NodeID], newKeys: () throws -> KeyPair) throws -> [KeyFile] {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if !FileManager.default.fileExists(atPath: coordinatorPath) {
            try KeyFile(path: coordinatorPath, node: .coordinator, keys: newKeys(), coordinatorKey: nil).write()
        }
        let coordinator = try coordinator()
        let manager = FileManager.default
        if !manager.fileExists(atPath: workersPath) {
            let heading = "# Workers that may join: NAME KEY. Whose line is taken out may not.\n"
            guard manager.createFile(atPath: workersPath, contents: Data(heading.utf8)) else {
                throw KeyFileError("\(workersPath): it cannot be made")
            }
        }
        let known = try self.workers()
        if let twice = workers.first(where: { node in known.contains { $0.node == node } }) {
            throw KeyFileError("\(workersPath): \(twice) has a key already; take its line out to make a new one")
        }
        guard known.count + workers.count <= Keyring.maximumKeyCount else {
            throw KeyFileError(
                "\(workersPath): with these it would have more than \(Keyring.maximumKeyCount) workers; ryz revoke makes room"
            )
        }
        var files: [KeyFile] = []
        for node in workers {
            let file = KeyFile(
                path: workerPath(node), node: node, keys: try newKeys(), coordinatorKey: coordinator.keys.publicKey)
            try file.write()
            // Line by line, so that no key is made that the list does not have.
            try KeyFileError.append(["\(node) \(file.keys.publicKey)"], to: workersPath)
            files.append(file)
        }
        return files
    }

    /// Takes a worker out of the list.
    ///
    /// - Throws: `KeyFileError` if it is not there.
    public func remove(_ worker: NodeID) throws {
        try KeyFileError.removeLine(from: workersPath, limit: Self.largestList, what: "worker \(worker)") {
            $0.first == worker.name[...]
        }
    }
}
