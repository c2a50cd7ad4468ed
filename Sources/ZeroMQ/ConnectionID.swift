import Transport

/// One connection of a node: its name and a random part that is new for each socket.
///
/// It is the ZeroMQ routing id, as `name/nonce`. With the name alone, a restarted node, or a second one of the same name,
/// would meet its own earlier connection: a ROUTER ignores a second peer with a routing id in use, or lets it take
/// over from the first, and either way one of the two is never heard nor told why.
public struct ConnectionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Who is at the other end.
    public let node: NodeID
    private let nonce: String

    /// A connection that has not been before.
    init(node: NodeID) {
        self.node = node
        nonce = String(UInt64.random(in: .min ... .max), radix: 16)
    }

    /// The connection that a routing id stands for; nil unless it is `name/nonce` with a node's name.
    init?(routingID: RawSpan) {
        guard routingID.byteCount <= 64 + 1 + 16 else { return nil }
        let text = Self.text(routingID)
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let node = NodeID(String(parts[0])) else { return nil }
        guard (1...16).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ Self.hexDigits.contains($0) }) else {
            return nil
        }
        self.node = node
        nonce = String(parts[1])
    }

    var routingID: [UInt8] { Array(description.utf8) }

    public var description: String { "\(node)/\(nonce)" }

    public static func < (left: ConnectionID, right: ConnectionID) -> Bool {
        (left.node, left.nonce) < (right.node, right.nonce)
    }

    /// A routing id as counters and logs may show it: at most 32 characters, printable ASCII or `?`.
    static func text(forLog routingID: RawSpan) -> String {
        let printable = text(routingID.extracting(first: 32)).unicodeScalars.map { scalar in
            (0x21...0x7e).contains(scalar.value) ? Character(scalar) : "?"
        }
        return String(printable)
    }

    private static let hexDigits = Set("0123456789abcdef".utf8)

    private static func text(_ bytes: RawSpan) -> String {
        var copy: [UInt8] = []
        copy.reserveCapacity(bytes.byteCount)
        for offset in bytes.byteOffsets { copy.append(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) }
        return String(decoding: copy, as: UTF8.self)
    }
}
