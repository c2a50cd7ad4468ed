import Transport
import Wire

/// The end of whoever fetches weights: a DEALER connected to one node that serves them. Belongs to one thread.
public final class WeightsClientSocket {
    private let source: NodeID
    private let dealer: Dealer
    private let check: InboundCheck

    /// Connects to the endpoint of `source`, now or when it comes up; `wake` ends a `receive`. Without `security`, in
    /// plain text; with it, to nobody but who has the key of `source`.
    public init(
        node: NodeID, clusterID: String, connectingTo source: Peer, limits: WeightsLimits = WeightsLimits(),
        security: NodeSecurity? = nil, wake: [WakeSignal] = [], context: Context = .shared
    ) throws(ZeroMQError) {
        self.source = source.node
        dealer = try Dealer(
            node: node, peer: source.node, endpoint: source.dataEndpoint, options: limits.options, limits: limits.wire,
            security: security, wake: wake, context: context)
        check = InboundCheck(
            limits: limits.wire, clusterID: clusterID, maximumPayloadByteCount: limits.maximumPayloadByteCount)
    }

    /// Replaces the connection by a fresh one. What was under way on the old one never comes.
    public func reconnect() throws(LinkError) { try dealer.reconnect() }

    /// Sends without waiting.
    ///
    /// - Throws: `LinkError.timedOut` while there is no connection, or its queue is full; `.refused` if the envelope
    ///   breaks the wire limits.
    public func send(_ envelope: Envelope) throws(LinkError) { try dealer.send(envelope) }

    /// The next message, or nil when `timeout` has passed or a wake signal arrived. What is malformed, or of another
    /// cluster or sender, is dropped.
    public func receive(timeout: Duration) throws(LinkError) -> Delivery? {
        try dealer.receive(timeout: timeout) { accept($0) }
    }

    /// Waits until one of the sockets has a message, a signal came, or `timeout` is over.
    public static func wait(
        forAnyOf sockets: [WeightsClientSocket], wake: [WakeSignal], timeout: Duration
    ) throws(LinkError) {
        do throws(ZeroMQError) {
            try Poller.wait(forAnyOf: sockets.map(\.dealer.handle), signals: wake, timeout: timeout)
        } catch {
            throw error.asLinkError
        }
    }

    private func accept(_ received: consuming MessageParts) -> Delivery? {
        var parts = received
        let connection = ConnectionID(node: source)
        guard (1...2).contains(parts.count) else { return nil }
        var payload: ReceivedPayload?
        if let tail = parts.second.take() { payload = ReceivedPayload(tail) }
        do throws(InboundCheck.Rejection) {
            try check.checkPayload(byteCount: payload?.byteCount, from: connection)
            let envelope = try check.envelope(parts.first, from: connection)
            return Delivery(sender: source, envelope: envelope, payload: payload)
        } catch {
            return nil
        }
    }
}

extension Payload {
    /// A copy of all bytes.
    public var bytes: [UInt8] {
        withBytes { span in
            span.withUnsafeBytes { Array($0) }
        }
    }
}
