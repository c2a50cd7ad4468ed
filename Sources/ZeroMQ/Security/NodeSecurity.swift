import CZeroMQ
import Glibc
import Synchronization
import Transport

/// A node's own keys, and whose connections it takes: encryption and authentication for all its sockets (CurveZMQ,
/// rfc.zeromq.org/spec/26).
///
/// A node that listens takes connections only from keys that it knows, each under the name that the key is known by; one
/// that connects makes sure of the other's key as well.
public final class NodeSecurity: Sendable {
    public let keys: KeyPair
    /// What the sockets' requests to the authenticator carry.
    let domain: String

    private struct Known {
        var keys: [NodeID: PublicKey] = [:]
        /// By the text of the key.
        var nodes: [String: NodeID] = [:]
    }

    private let known: Mutex<Known>

    /// - Parameter allowed: whom to know at first.
    public init(keys: KeyPair, allowed: [NodeKey]) throws(ZeroMQError) {
        self.keys = keys
        domain = String(UInt64.random(in: .min ... .max), radix: 16)
        known = Mutex(Self.known(allowed))
        try Authenticator.shared.add(domain) { [weak self] key in self?.node(ofKey: key) != nil }
    }

    deinit { Authenticator.shared.remove(domain) }

    /// Knows these nodes from now on and no others, but goes on knowing the coordinator by the key that was given at
    /// first. Connections of others stay, but nothing that comes through them is taken.
    ///
    /// - Returns: the nodes that were known and are not, or by another key.
    @discardableResult
    public func allow(_ allowed: [NodeKey]) -> [NodeID] {
        known.withLock { known in
            let coordinator = known.keys[.coordinator].map { [NodeKey(node: .coordinator, publicKey: $0)] } ?? []
            let before = known.keys
            known = Self.known(allowed.filter { $0.node != .coordinator } + coordinator)
            return before.filter { known.keys[$0] != $1 }.keys.sorted()
        }
    }

    /// All that are known, in order of their names.
    public var allowed: [NodeKey] {
        known.withLock { $0.keys }.map { NodeKey(node: $0, publicKey: $1) }.sorted { $0.node < $1.node }
    }

    public func publicKey(of node: NodeID) -> PublicKey? { known.withLock { $0.keys[node] } }

    /// - Parameter key: its text.
    func node(ofKey key: String) -> NodeID? { known.withLock { $0.nodes[key] } }

    private static func known(_ allowed: [NodeKey]) -> Known {
        Known(
            keys: Dictionary(allowed.map { ($0.node, $0.publicKey) }) { $1 },
            nodes: Dictionary(allowed.map { ($0.publicKey.text, $0.node) }) { $1 })
    }
}

extension KeyPair {
    /// A new one.
    public static func random() throws(ZeroMQError) -> KeyPair {
        var (publicText, secretText) = ([CChar](repeating: 0, count: 41), [CChar](repeating: 0, count: 41))
        guard zmq_curve_keypair(&publicText, &secretText) == 0 else { throw ZeroMQError("make", "a key pair") }
        func text(_ characters: [CChar]) -> String {
            String(decoding: characters.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard let publicKey = PublicKey(text(publicText)), let secretKey = SecretKey(text(secretText)) else {
            throw ZeroMQError("make", "a key pair", code: EINVAL)
        }
        return KeyPair(publicKey: publicKey, secretKey: secretKey)
    }
}
