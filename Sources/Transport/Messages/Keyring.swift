/// The public half of a node's key pair: CurveZMQ (Curve25519), in Z85.
public struct PublicKey: Hashable, Sendable, CustomStringConvertible {
    /// 40 characters.
    public let text: String

    /// Returns nil unless `text` is 32 bytes in Z85 (rfc.zeromq.org/spec/32).
    public init?(_ text: String) {
        guard Z85.isKey(text) else { return nil }
        self.text = text
    }

    public var description: String { text }
}

/// The secret half of a node's key pair. What prints it shows that there is one and no more.
public struct SecretKey: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// 40 characters. For the socket and the key's own file only.
    public let text: String

    /// Returns nil unless `text` is 32 bytes in Z85.
    public init?(_ text: String) {
        guard Z85.isKey(text) else { return nil }
        self.text = text
    }

    public var description: String { "a secret key" }
    public var debugDescription: String { description }
}

/// A node's key pair.
public struct KeyPair: Hashable, Sendable {
    public var publicKey: PublicKey
    public var secretKey: SecretKey

    public init(publicKey: PublicKey, secretKey: SecretKey) {
        self.publicKey = publicKey
        self.secretKey = secretKey
    }
}

/// Who has which key.
public struct NodeKey: Hashable, Sendable {
    public var node: NodeID
    public var publicKey: PublicKey

    public init(node: NodeID, publicKey: PublicKey) {
        self.node = node
        self.publicKey = publicKey
    }
}

/// The coordinator tells a worker whose connections it may take, and by which keys it knows them.
public struct Keyring: Equatable, Sendable {
    /// Nodes that one can name.
    public static let maximumKeyCount = 512

    public var keys: [NodeKey]

    public init(keys: [NodeKey]) { self.keys = keys }
}

private enum Z85 {
    private static let digits = Set(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#".utf8)

    static func isKey(_ text: String) -> Bool { text.utf8.count == 40 && text.utf8.allSatisfy(digits.contains) }
}
