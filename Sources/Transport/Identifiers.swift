/// The name by which a node is known in the cluster: 1 to 64 characters of `A–Z a–z 0–9 . _ -`.
///
/// It is also the node's ZeroMQ routing id, so it is checked before it gets near a socket.
public struct NodeID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// The name as text.
    public let name: String

    /// Returns nil unless `name` has 1 to 64 of the allowed characters.
    public init?(_ name: String) {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard allowed, (1...64).contains(name.utf8.count) else { return nil }
        self.name = name
    }

    private init(trusted name: String) { self.name = name }

    /// The coordinator's own name on every link.
    public static let coordinator = NodeID(trusted: "coordinator")

    public var description: String { name }

    public static func < (left: NodeID, right: NodeID) -> Bool { left.name < right.name }
}

/// The number of a placement. It only grows; whatever carries an older one is dropped.
public struct Epoch: Hashable, Comparable, Sendable, Codable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
    public static func < (left: Epoch, right: Epoch) -> Bool { left.number < right.number }
}

/// One sequence of tokens with a KV cache on every stage. Never reused by a coordinator process.
public struct SequenceID: Hashable, Comparable, Sendable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
    public static func < (left: SequenceID, right: SequenceID) -> Bool { left.number < right.number }
}

/// One pass of a batch through all stages. Grows by one with each step of an epoch.
public struct StepID: Hashable, Comparable, Sendable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
    public static func < (left: StepID, right: StepID) -> Bool { left.number < right.number }
}
