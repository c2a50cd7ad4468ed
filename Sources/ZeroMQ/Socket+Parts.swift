import CZeroMQ

/// A whole message of up to three parts. Parts beyond are counted and not kept.
struct MessageParts: ~Copyable {
    var first = Message()
    var second: Message?
    var third: Message?
    /// All parts that the message had.
    var count = 0
}

extension Socket {
    /// The next whole message, without waiting; nil if there is none.
    ///
    /// libzmq delivers a message when all its parts have arrived, so reading on to the last part never waits.
    func receiveParts() throws(ZeroMQError) -> MessageParts? {
        guard let first = try receive(waits: false) else { return nil }
        var hasMore = first.hasMore
        var parts = MessageParts()
        parts.first = first
        parts.count = 1
        while hasMore {
            guard let part = try receive(waits: false) else { break }
            hasMore = part.hasMore
            parts.count += 1
            switch parts.count {
            case 2: parts.second = consume part
            case 3: parts.third = consume part
            default: break
            }
        }
        return parts
    }
}
