/// The data plane as one compute thread sees it: one inbound end that every peer sends to, one outbound link per peer.
///
/// All calls are synchronous and come from the thread that made the object. Every call returns within a time-out.
public protocol DataLinks: AnyObject {
    /// The node that these links belong to; it is the sender of everything sent.
    var node: NodeID { get }
    /// Where other nodes connect, with the port that was really bound, such as `tcp://192.168.1.12:41234`.
    var endpoint: String { get }
    /// What was dropped so far, by sender and reason.
    var drops: DropCounters { get }

    /// Opens the outbound link to `peer`, or replaces it by a fresh connection if there is one. Returns at once; the
    /// connection is made, and made again after a break, behind the scenes.
    func connect(to peer: Peer) throws(LinkError)

    /// Closes the outbound link to `node`. What has not left yet is dropped. Without a link to it, nothing happens.
    func disconnect(from node: NodeID)

    /// Sends an envelope alone.
    ///
    /// - Throws: `LinkError.notConnected` without a link, `.timedOut` if the peer could not be reached or took nothing
    ///   within the send time-out, `.refused` if the envelope breaks the wire limits.
    func send(_ envelope: Envelope, to node: NodeID) throws(LinkError)

    /// Sends an envelope with `payload` as a raw frame behind it; the bytes are copied once, before this returns.
    ///
    /// - Throws: as `send(_:to:)`; also `.refused` if the payload is larger than the links carry.
    func send(_ envelope: Envelope, payload: RawSpan, to node: NodeID) throws(LinkError)

    /// The next message for this node, or nil when `timeout` has passed or a wake signal arrived.
    ///
    /// Only envelopes of this cluster whose sender is who the connection says come out. The rest is dropped and
    /// counted.
    ///
    /// - Parameter spinning: how long of that to keep looking, letting others run in between, before sleeping.
    func receive(timeout: Duration, spinning: Duration) throws(LinkError) -> Delivery?

    /// Counts a delivery that the caller refuses, such as one of an older epoch.
    func drop(from sender: NodeID, because reason: DropReason)
}

extension DataLinks {
    /// The next message, waited for asleep.
    public func receive(timeout: Duration) throws(LinkError) -> Delivery? {
        try receive(timeout: timeout, spinning: .zero)
    }
}

/// A message that arrived on the data plane.
public struct Delivery {
    public let sender: NodeID
    public let envelope: Envelope
    /// The raw frame behind the envelope; nil if there was none.
    public let payload: (any Payload)?

    public init(sender: NodeID, envelope: Envelope, payload: (any Payload)?) {
        self.sender = sender
        self.envelope = envelope
        self.payload = payload
    }
}

/// Bytes that arrived behind an envelope, kept where they were received and freed with the last reference.
public protocol Payload: AnyObject {
    var byteCount: Int { get }
    /// Calls `body` with all bytes. They are aligned for any scalar type.
    func withBytes<Result, Failure: Error>(_ body: (RawSpan) throws(Failure) -> Result) throws(Failure) -> Result
}
