/// Why a frame that arrived was not taken.
public enum DropReason: String, CaseIterable, Sendable, Codable {
    /// Not an envelope, or one that breaks the wire limits.
    case malformed
    /// An envelope of another protocol version.
    case otherVersion
    /// An envelope of another cluster.
    case otherCluster
    /// The envelope names another sender than the connection does.
    case forgedSender
    /// The connection's key is no longer one that is taken.
    case revoked
    /// The connection's routing id is not that of a node.
    case unknownSender
    /// More bytes than a frame may have.
    case oversized
    /// Fewer or more frames than a message has.
    case unexpectedFrames
    /// A kind of message that has no place here, or from a node that has no business sending it.
    case unexpectedMessage
    /// Of an epoch that is over.
    case olderEpoch
    /// A step that does not come after the one before.
    case outOfOrder
    /// A tensor whose size is not what its envelope calls for.
    case wrongPayloadSize
    /// A queue was full.
    case queueFull
}

/// How many frames were dropped, by sender and reason. Bounded: from the 65th sender on all count as `others`.
public struct DropCounters: Equatable, Sendable {
    /// Dropped frames of one sender for one reason.
    public struct Entry: Equatable, Sendable {
        public let sender: String
        public let reason: DropReason
        public fileprivate(set) var count: UInt64
    }

    /// Most senders that are told apart.
    public static let senderLimit = 64

    /// Over all senders and reasons.
    public private(set) var total: UInt64 = 0
    /// In order of sender, then reason.
    public private(set) var entries: [Entry] = []

    public init() {}

    /// Counts one dropped frame.
    public mutating func count(_ reason: DropReason, from sender: String) {
        total += 1
        let known = entries.contains { $0.sender == sender }
        let name = known || senderCount < Self.senderLimit ? sender : "others"
        if let index = entries.firstIndex(where: { $0.sender == name && $0.reason == reason }) {
            entries[index].count += 1
        } else {
            let entry = Entry(sender: name, reason: reason, count: 1)
            let place = entries.firstIndex { (name, reason.rawValue) < ($0.sender, $0.reason.rawValue) }
            entries.insert(entry, at: place ?? entries.endIndex)
        }
    }

    /// How many were dropped for `reason`, over all senders.
    public func count(_ reason: DropReason) -> UInt64 {
        entries.reduce(0) { $1.reason == reason ? $0 + $1.count : $0 }
    }

    private var senderCount: Int {
        var senders = 0
        var last: String?
        for entry in entries where entry.sender != last {
            senders += 1
            last = entry.sender
        }
        return senders
    }
}
