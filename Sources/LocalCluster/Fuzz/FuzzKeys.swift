import CommandSupport
import Foundation
import Transport
import ZeroMQ

/// Keys of a cluster whose links are encrypted, and of those who try to get in.
public struct FuzzKeys: Sendable {
    let coordinator: PublicKey
    /// Is on the list, and sends what no worker would.
    let listed: KeyFile
    /// Is on the list until it is revoked.
    let revoked: KeyFile
    /// Is not.
    let unlisted: KeyPair
    private let folder: KeyFolder

    /// Makes the keys of the coordinator, of workers of a `LocalCluster`, and of two strangers.
    init(in folder: KeyFolder, workers: [String]) throws {
        let names = workers + ["listed", "revoked"]
        let files = try folder.add(names.compactMap { NodeID($0) }, newKeys: { try KeyPair.random() })
        coordinator = try folder.coordinator().keys.publicKey
        (listed, revoked) = (files[workers.count], files[workers.count + 1])
        unlisted = try KeyPair.random()
        self.folder = folder
    }

    func revoke() throws { try folder.remove(revoked.node) }

    /// The key by which a process of the cluster is known.
    func server(_ name: String) throws -> PublicKey {
        guard name != LocalCluster.coordinatorName, let node = NodeID(name) else { return coordinator }
        return try KeyFile(path: folder.workerPath(node)).keys.publicKey
    }
}

extension LocalClusterOptions {
    /// Has the cluster encrypt its links, with new keys in a folder that is made; its settings file lies there as well.
    public mutating func encrypt(in folder: String) throws -> FuzzKeys {
        let keys = try FuzzKeys(
            in: KeyFolder(path: folder), workers: (0..<processCount).map(workerName))
        let settings = "\(folder)/cluster.yaml"
        try Data("security: keys\nkeys: \(folder)\n".utf8).write(to: URL(fileURLWithPath: settings))
        (keysFolder, configurationFile) = (folder, settings)
        return keys
    }
}
