import Transport
import Wire

/// What arrives at a worker's control plane.
public enum ControlReply: Equatable, Sendable {
    /// From the coordinator, in this worker's cluster or not.
    case message(Envelope)
    /// The coordinator speaks another protocol version.
    case otherVersion(theirs: UInt32)
}

/// A worker's end of the control plane: a DEALER connected to the coordinator. Belongs to one thread.
public final class ControlClient {
    /// What was dropped so far, by sender and reason.
    public private(set) var drops = DropCounters()

    private let dealer: Dealer
    private let check: InboundCheck

    /// Connects to the coordinator's control endpoint, now or when it comes up; `wake` ends a `receive`. Without
    /// `security`, in plain text; with it, which must know the coordinator's key, to nobody else.
    public init(
        node: NodeID, connecting endpoint: String, limits: ControlLimits = ControlLimits(),
        security: NodeSecurity? = nil, wake: [WakeSignal] = [], context: Context = .shared
    ) throws(ZeroMQError) {
        dealer = try Dealer(
            node: node, peer: .coordinator, endpoint: endpoint, options: limits.options, limits: limits.wire,
            security: security, wake: wake, context: context)
        check = InboundCheck(limits: limits.wire, clusterID: nil, maximumPayloadByteCount: nil)
    }

    /// Replaces the connection by a fresh one, which the coordinator sees as another `ConnectionID`.
    public func reconnect() throws(LinkError) { try dealer.reconnect() }

    /// Sends without waiting.
    ///
    /// - Throws: `LinkError.timedOut` while there is no connection, or its queue is full; `.refused` if the envelope
    ///   breaks the wire limits.
    public func send(_ envelope: Envelope) throws(LinkError) { try dealer.send(envelope) }

    /// The next message, or nil when `timeout` has passed or a wake signal arrived. What is malformed, or not from the
    /// coordinator, is dropped and counted.
    public func receive(timeout: Duration) throws(LinkError) -> ControlReply? {
        try dealer.receive(timeout: timeout) { accept($0) }
    }

    /// Counts a message of the coordinator that the caller refuses.
    public func drop(because reason: DropReason) {
        drops.count(reason, from: NodeID.coordinator.name)
    }

    private func accept(_ parts: borrowing MessageParts) -> ControlReply? {
        let coordinator = ConnectionID(node: .coordinator)
        do throws(InboundCheck.Rejection) {
            guard parts.count == 1 else { throw check.rejection(.unexpectedFrames, from: coordinator) }
            return .message(try check.envelope(parts.first, from: coordinator))
        } catch {
            if let (_, version) = error.otherVersion { return .otherVersion(theirs: version) }
            drops.count(error.reason, from: error.sender)
            return nil
        }
    }
}
