import Transport
import Wire

/// The end of whoever serves weights: one ROUTER that those connect to who fetch them. Belongs to one thread.
public final class WeightsServerSocket {
    /// Where others connect, with the port that was really bound.
    public let endpoint: String
    /// What was dropped so far, by sender and reason.
    public private(set) var drops = DropCounters()

    private let limits: WeightsLimits
    private let check: InboundCheck
    private let socket: Socket
    private var poller: Poller

    /// Listens at `endpoint`; `wake` ends a `receive`. Without `security`, in plain text.
    ///
    /// - Parameter advertisedHost: what `endpoint` shall name as the host where a wildcard was bound.
    public init(
        binding endpoint: String, clusterID: String, advertisedHost: String? = nil,
        limits: WeightsLimits = WeightsLimits(), security: NodeSecurity? = nil, wake: [WakeSignal] = [],
        context: Context = .shared
    ) throws(ZeroMQError) {
        self.limits = limits
        check = InboundCheck(
            limits: limits.wire, clusterID: clusterID, maximumPayloadByteCount: nil, security: security)
        poller = Poller(signals: wake)
        var options = limits.options
        // Requests are small.
        options.maximumMessageByteCount = 64 << 10
        options.handsOverRoutingID = true
        options.curve = security.map { .server($0.keys.secretKey, domain: $0.domain) }
        socket = try Socket(.router, name: endpoint, options: options, context: context)
        try socket.bind(endpoint)
        self.endpoint = HostPort.advertised(try socket.lastEndpoint(), as: advertisedHost)
    }

    /// The next envelope, or nil when `timeout` has passed or a wake signal arrived. What is malformed, of another cluster, or
    /// from someone else than it says, is dropped and counted.
    public func receive(timeout: Duration) throws(LinkError) -> (envelope: Envelope, connection: ConnectionID)? {
        try socket.receive(&poller, timeout: timeout) { accept($0) }
    }

    /// Sends a reply, perhaps with bytes behind it, without waiting.
    ///
    /// - Throws: `LinkError.unreachable` if the connection is gone, `.timedOut` if its queue is full, `.refused` if the
    ///   envelope breaks the wire limits.
    public func send(_ envelope: Envelope, payload: [UInt8]?, to connection: ConnectionID) throws(LinkError) {
        let head = try Message(encoding: envelope, limits: limits.wire)
        let tail: Message? = if let payload { try Message(payload: payload.span.bytes) } else { nil }
        try socket.send(head, payload: tail, to: connection)
    }

    /// Counts a message that the caller refuses.
    public func drop(from sender: NodeID, because reason: DropReason) {
        drops.count(reason, from: sender.name)
    }

    private func accept(_ received: consuming MessageParts) -> (Envelope, ConnectionID)? {
        var parts = received
        do throws(InboundCheck.Rejection) {
            let connection = try check.connection(parts.first)
            guard parts.count == 2, let head = parts.second.take() else {
                throw check.rejection(.unexpectedFrames, from: connection)
            }
            return (try check.envelope(head, from: connection), connection)
        } catch {
            drops.count(error.reason, from: error.sender)
            return nil
        }
    }
}

extension HostPort {
    /// A bound endpoint as others shall reach it.
    static func advertised(_ endpoint: String, as host: String?) -> String {
        guard let host, let port = HostPort(endpoint: endpoint)?.port else { return endpoint }
        return "tcp://\(HostPort(host: host, port: port))"
    }
}
