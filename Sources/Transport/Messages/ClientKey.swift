/// A key with which a client speaks HTTP, as the coordinator knows it: by its hash.
public struct ClientKey: Hashable, Sendable {
    /// What a key allows.
    public enum Role: String, CaseIterable, Sendable {
        /// Asking the model, and looking at the cluster.
        case client
        /// Changing the cluster as well: draining workers, measuring, shutting it down.
        case `operator`
    }

    /// Whose it is.
    public var name: NodeID
    public var role: Role
    /// SHA-256 of the key's UTF-8 text, 32 bytes. Keys are random and long, so it needs no salt.
    public var digest: [UInt8]

    public init(name: NodeID, role: Role, digest: [UInt8]) {
        self.name = name
        self.role = role
        self.digest = digest
    }
}
