import Glibc
import Transport
import Wire

/// The end of whoever fetches weights: a DEALER connected to one node that serves them. Belongs to one thread.
public final class WeightsClientSocket {
    private let node: NodeID
    private let source: Peer
    private let limits: WeightsLimits
    private let curve: CurveRole?
    private let context: Context
    private let check: InboundCheck
    private var socket: Socket
    private var poller: Poller

    /// Connects to the endpoint of `source`, now or when it comes up; `wake` ends a `receive`. Without `security`, in
    /// plain text; with it, to nobody but who has the key of `source`.
    public init(
        node: NodeID, clusterID: String, connectingTo source: Peer, limits: WeightsLimits = WeightsLimits(),
        security: NodeSecurity? = nil, wake: [WakeSignal] = [], context: Context = .shared
    ) throws(ZeroMQError) {
        self.node = node
        self.source = source
        self.limits = limits
        self.context = context
        curve = try security.map { security throws(ZeroMQError) in
            guard let serverKey = security.publicKey(of: source.node) else {
                throw ZeroMQError("know the key of \(source.node) for", source.dataEndpoint, code: EINVAL)
            }
            return .client(security.keys, serverKey: serverKey)
        }
        check = InboundCheck(
            limits: limits.wire, clusterID: clusterID, maximumPayloadByteCount: limits.maximumPayloadByteCount)
        poller = Poller(signals: wake)
        socket = try Self.open(node, source, limits, curve, context)
    }

    /// Replaces the connection by a fresh one. What was under way on the old one never comes.
    public func reconnect() throws(LinkError) {
        do throws(ZeroMQError) {
            socket = try Self.open(node, source, limits, curve, context)
        } catch {
            throw error.asLinkError
        }
    }

    /// Sends without waiting.
    ///
    /// - Throws: `LinkError.timedOut` while there is no connection, or its queue is full; `.refused` if the envelope
    ///   breaks the wire limits.
    public func send(_ envelope: Envelope) throws(LinkError) {
        let message = try Message(encoding: envelope, limits: limits.wire)
        do throws(ZeroMQError) {
            try socket.send(message, waits: false)
        } catch {
            throw error.isTimeout ? .timedOut(source.node, afterMilliseconds: 0) : error.asLinkError
        }
    }

    /// The next message, or nil when `timeout` has passed or a wake signal arrived. What is malformed, or of another
    /// cluster or sender, is dropped.
    public func receive(timeout: Duration) throws(LinkError) -> Delivery? {
        try socket.receive(&poller, timeout: timeout) { accept($0) }
    }

    private func accept(_ received: consuming MessageParts) -> Delivery? {
        var parts = received
        let connection = ConnectionID(node: source.node)
        guard (1...2).contains(parts.count) else { return nil }
        var payload: ReceivedPayload?
        if let tail = parts.second.take() { payload = ReceivedPayload(tail) }
        do throws(InboundCheck.Rejection) {
            try check.checkPayload(byteCount: payload?.byteCount, from: connection)
            let envelope = try check.envelope(parts.first, from: connection)
            return Delivery(sender: source.node, envelope: envelope, payload: payload)
        } catch {
            return nil
        }
    }

    private static func open(
        _ node: NodeID, _ source: Peer, _ limits: WeightsLimits, _ curve: CurveRole?, _ context: Context
    ) throws(ZeroMQError) -> Socket {
        var options = limits.options
        options.routingID = ConnectionID(node: node).routingID
        options.curve = curve
        let socket = try Socket(.dealer, name: source.dataEndpoint, options: options, context: context)
        try socket.connect(source.dataEndpoint)
        return socket
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
