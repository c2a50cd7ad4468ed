public import Transport
import Wire

/// Messages that no node would send, for a node's ZeroMQ sockets: the same for the same seed.
///
/// Some get far: they have the cluster's id, and come over connections with the names of nodes. What they never have is all
/// that makes a node's message right, the name of a worker that is there together with the present epoch: over connections
/// without encryption that would be taken, as whoever can reach a port can then pass for a node.
public struct HostileMessages: Sendable {
    /// What is known of the cluster.
    public struct Cluster: Sendable {
        public var id: String
        public var epoch: Epoch
        /// All nodes that have business there, the coordinator among them.
        public var nodes: [NodeID]

        public init(id: String, epoch: Epoch, nodes: [NodeID]) {
            (self.id, self.epoch, self.nodes) = (id, epoch, nodes)
        }
    }

    public enum Kind: CaseIterable, Sendable {
        case randomBytes, truncated, mutated, spliced, hugeLength, repeatedParts, otherVersion, otherCluster, valid
        case forgedSender, joining, manyParts, payload, oversized
    }

    private let cluster: Cluster
    private var random: SplitMix64
    private var envelopes: RandomEnvelope

    public init(_ cluster: Cluster, seed: UInt64) {
        self.cluster = cluster
        random = SplitMix64(seed: seed)
        envelopes = RandomEnvelope(seed: ~seed)
    }

    /// What a connection calls itself: a stranger, or a node that is there, or nothing that makes sense.
    public mutating func nextConnection() -> (routingID: [UInt8], sender: NodeID) {
        let nonce = String(random.next(), radix: 16)
        let stranger = NodeID("stranger-\(int(0...300))") ?? .coordinator
        let node = cluster.nodes.randomElement(using: &random) ?? .coordinator
        return switch int(0...9) {
        case 0: (Self.routingID(.random(count: int(1...255), using: &random)), stranger)
        case 1: (Array(node.name.utf8), node)
        case 2: (Array("\(node)/\(nonce)/\(nonce)".utf8), node)
        case 3...5: (Array("\(node)/\(nonce)".utf8), node)
        default: (Array("\(stranger)/\(nonce)".utf8), stranger)
        }
    }

    /// The next message, in parts, over a connection of `sender`'s.
    public mutating func next(from sender: NodeID) -> [[UInt8]] { next(random.kind(), from: sender) }

    mutating func next(_ kind: Kind, from sender: NodeID) -> [[UInt8]] {
        switch kind {
        case .randomBytes: return [.random(count: int(0...[16, 300, 5000][int(0...2)]), using: &random)]
        case .truncated:
            let bytes = encoded(envelope(from: sender))
            return [Array(bytes.prefix(int(0...max(0, bytes.count - 1))))]
        case .mutated:
            var bytes = encoded(envelope(from: sender))
            for _ in 0..<int(1...3) { bytes.mutate(using: &random) }
            return [bytes]
        case .spliced:
            let (head, tail) = (encoded(envelope(from: sender)), encoded(envelope(from: sender)))
            return [Array(head.prefix(int(0...head.count)) + tail.suffix(int(0...tail.count)))]
        case .hugeLength: return [hugeLength(from: sender)]
        case .repeatedParts: return [repeatedParts(from: sender)]
        case .otherVersion:
            var bytes = encoded(envelope(from: sender))
            if bytes.count > 1 { bytes[1] = UInt8(int(2...127)) }
            return [bytes]
        case .otherCluster:
            var envelope = envelope(from: sender)
            envelope.clusterID = "another"
            return [encoded(envelope)]
        case .valid: return [encoded(envelope(from: sender))]
        case .forgedSender:
            var envelope = envelope(from: sender)
            envelope.sender = cluster.nodes.first { $0 != sender } ?? .coordinator
            envelope.epoch = epoch(for: envelope.sender)
            return [encoded(envelope)]
        case .joining: return [joining(from: sender)]
        case .manyParts:
            return [encoded(envelope(from: sender))]
                + (0..<int(1...[3, 600][int(0...1)])).map { _ in .random(count: int(0...3), using: &random) }
        case .payload:
            return [encoded(envelope(from: sender)), .random(count: int(0...4096), using: &random)]
        case .oversized:
            // Beyond what control connections carry; and now and then, beyond any envelope.
            let byteCount = int(0...19) == 0 ? (4 << 20) + int(1...4096) : (64 << 10) + int(1...4096)
            return [[UInt8](repeating: 0x0A, count: byteCount)]
        }
    }
}

extension HostileMessages {
    private mutating func int(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }

    /// A valid envelope of any kind, of the cluster.
    private mutating func envelope(from sender: NodeID) -> Envelope {
        var envelope = envelopes.envelope(kind: int(0...RandomEnvelope.kindCount - 1))
        envelope.sender = sender
        envelope.epoch = epoch(for: sender)
        envelope.clusterID = cluster.id
        // Joining is for those only that name an address on this machine: members are connected to.
        if case .hello = envelope.body { envelope.clusterID = "another" }
        return envelope
    }

    /// The present one for strangers only.
    private mutating func epoch(for sender: NodeID) -> Epoch {
        let number = cluster.epoch.number
        var choices = [0, 1, number &- 1, number &+ 1 << 40, .max, random.next()].filter { $0 != number }
        if !cluster.nodes.contains(sender) { choices += [number, number] }
        return Epoch(choices[int(0...choices.count - 1)])
    }

    /// A hello that the coordinator takes from a stranger, who then does not go on; or one under another's name.
    private mutating func joining(from sender: NodeID) -> [UInt8] {
        // Seldom: who may join may be a member.
        let isSerious = int(0...9) == 0
        let hello = Hello(
            incarnation: random.next(), processID: 1, hostName: "fuzz", cpuModel: "fuzz", instructionSet: "portable",
            threadCount: 1, memoryByteCount: 1 << 30, memoryFreeByteCount: 1 << 30,
            dataEndpoint: "tcp://127.0.0.1:1")
        return encoded(
            Envelope(
                clusterID: isSerious ? cluster.id : "another", epoch: Epoch(0), sender: sender, body: .hello(hello)))
    }

    /// The fields that all envelopes begin with, and a body.
    private func raw(from sender: NodeID, _ body: [UInt8]) -> [UInt8] {
        [0x08, 0x01] + Protobuf.part(2, Array(cluster.id.utf8)) + Protobuf.part(3, Array(sender.name.utf8))
            + [0x20, 0x01] + body
    }

    private static let bodyNumbers = Array(10...40)

    private mutating func hugeLength(from sender: NodeID) -> [UInt8] {
        let lengths: [UInt64] = [1 << 16, 1 << 31 - 1, 1 << 31, 1 << 32, 1 << 63, .max]
        let number = Self.bodyNumbers[int(0...Self.bodyNumbers.count - 1)]
        let inner = Protobuf.part(
            int(1...14), announcing: lengths[int(0...lengths.count - 1)], .random(count: 8, using: &random))
        return raw(
            from: sender,
            Bool.random(using: &random)
                ? Protobuf.part(number, inner)
                : Protobuf.part(number, announcing: lengths[int(0...lengths.count - 1)], inner))
    }

    /// Parts within parts within parts, or very many of the same.
    private mutating func repeatedParts(from sender: NodeID) -> [UInt8] {
        let number = Self.bodyNumbers[int(0...Self.bodyNumbers.count - 1)]
        var content = [UInt8]()
        if Bool.random(using: &random) {
            for _ in 0..<int(1...2000) where content.count < 60_000 { content = Protobuf.part(int(1...6), content) }
        } else {
            let part = Protobuf.part(int(1...6), .random(count: int(0...2), using: &random))
            let count = int(0...199) == 0 ? 1_000_000 : int(1...15_000)
            content = [UInt8](repeatElement(part, count: count).joined())
        }
        return raw(from: sender, Protobuf.part(number, content))
    }

    private func encoded(_ envelope: Envelope) -> [UInt8] { (try? Wire.encode(envelope)) ?? [] }

    /// libzmq takes no routing id that begins with a zero byte.
    private static func routingID(_ bytes: [UInt8]) -> [UInt8] { [max(1, bytes[0])] + bytes.dropFirst() }
}

extension SplitMix64 {
    /// Any of the cases, those that cost much less often.
    fileprivate mutating func kind() -> HostileMessages.Kind {
        let kind = HostileMessages.Kind.allCases.randomElement(using: &self) ?? .mutated
        switch kind {
        case .oversized, .repeatedParts, .manyParts: return Int.random(in: 0..<8, using: &self) == 0 ? kind : .mutated
        default: return kind
        }
    }
}
