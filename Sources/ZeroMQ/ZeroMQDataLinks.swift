import Glibc
import Transport
import Wire

/// What data links may hold and how long they may wait.
public struct DataLinkLimits: Equatable, Sendable {
    public var sendTimeout: Duration = .milliseconds(500)
    /// Messages queued to one peer before sending waits.
    public var sendQueueLength = 8
    /// Messages queued from one peer before its connection is no longer read. More than ever are under way, since a
    /// connection that is not read does not answer probes either.
    public var receiveQueueLength = 64
    /// Bytes in one payload: 4096 rows of 4096 float32 by default.
    public var maximumPayloadByteCount = 64 << 20
    /// Outbound links.
    public var maximumPeerCount = 1024
    public var wire = WireLimits.standard

    public init() {}
}

/// The data plane over ZeroMQ: one inbound ROUTER, one outbound DEALER for each peer. Belongs to one thread.
public final class ZeroMQDataLinks: DataLinks {
    public let node: NodeID
    public let endpoint: String
    public private(set) var drops = DropCounters()

    private let limits: DataLinkLimits
    private let security: NodeSecurity?
    private let check: InboundCheck
    private let context: Context
    private let inbound: Socket
    private var poller: Poller
    private var outbound: [NodeID: OutboundLink] = [:]

    private final class OutboundLink {
        let socket: Socket
        let peer: Peer

        init(socket: consuming Socket, peer: Peer) {
            self.socket = socket
            self.peer = peer
        }
    }

    /// Listens at `endpoint`, such as `tcp://*:0` or `tcp://127.0.0.1:7071`.
    ///
    /// - Parameters:
    ///   - node: the name under which this node sends.
    ///   - clusterID: envelopes of another cluster are dropped.
    ///   - security: encrypts all links and says who may connect; without it they are plain text.
    ///   - advertisedHost: what `endpoint` shall name as the host where a wildcard was bound.
    ///   - wake: signals that end a `receive`.
    public init(
        node: NodeID, clusterID: String, binding endpoint: String, advertisedHost: String? = nil,
        limits: DataLinkLimits = DataLinkLimits(), security: NodeSecurity? = nil, wake: [WakeSignal] = [],
        context: Context = .shared
    ) throws(ZeroMQError) {
        self.node = node
        self.limits = limits
        self.security = security
        self.context = context
        check = InboundCheck(
            limits: limits.wire, clusterID: clusterID, maximumPayloadByteCount: limits.maximumPayloadByteCount,
            security: security)
        poller = Poller(signals: wake)

        var options = Self.options(limits)
        // The nonce in the routing id makes sure that only a node's own broken connection is ever taken over from.
        options.handsOverRoutingID = true
        options.curve = security.map { .server($0.keys.secretKey, domain: $0.domain) }
        inbound = try Socket(.router, name: endpoint, options: options, context: context)
        try inbound.bind(endpoint)
        self.endpoint = HostPort.advertised(try inbound.lastEndpoint(), as: advertisedHost)
    }

    public func connect(to peer: Peer) throws(LinkError) {
        disconnect(from: peer.node)
        guard outbound.count < limits.maximumPeerCount else {
            throw .refused("there are \(outbound.count) links already, as many as are allowed")
        }
        outbound[peer.node] = try open(peer)
    }

    public func disconnect(from node: NodeID) {
        outbound[node] = nil
    }

    public func send(_ envelope: Envelope, to node: NodeID) throws(LinkError) {
        let link = try link(to: node)
        let message = try encode(envelope)
        do throws(ZeroMQError) {
            try link.socket.send(message)
        } catch {
            throw linkError(error, node)
        }
    }

    public func send(_ envelope: Envelope, payload: RawSpan, to node: NodeID) throws(LinkError) {
        guard payload.byteCount <= limits.maximumPayloadByteCount else {
            throw .refused(
                "a payload of \(payload.byteCount) bytes; links carry at most \(limits.maximumPayloadByteCount)")
        }
        let link = try link(to: node)
        let head = try encode(envelope)
        let tail = try Message(payload: payload)
        do throws(ZeroMQError) {
            try link.socket.send(head, hasMore: true)
        } catch {
            throw linkError(error, node)
        }
        do throws(ZeroMQError) {
            try link.socket.send(tail)
        } catch {
            // The connection broke between the parts. A fresh one starts with a whole message again.
            outbound[node] = try open(link.peer)
            throw linkError(error, node)
        }
    }

    public func receive(timeout: Duration, spinning: Duration) throws(LinkError) -> Delivery? {
        try inbound.receive(&poller, timeout: timeout, spinning: spinning) { accept($0) }
    }

    public func drop(from sender: NodeID, because reason: DropReason) {
        drops.count(reason, from: sender.name)
    }

    /// A message as a delivery; nil, and counted, if it may not pass.
    private func accept(_ received: consuming MessageParts) -> Delivery? {
        var parts = received
        do throws(InboundCheck.Rejection) {
            let connection = try check.connection(parts.first)
            guard (2...3).contains(parts.count), let head = parts.second.take() else {
                throw check.rejection(.unexpectedFrames, from: connection)
            }
            var payload: ReceivedPayload?
            if let tail = parts.third.take() { payload = ReceivedPayload(tail) }
            try check.checkPayload(byteCount: payload?.byteCount, from: connection)
            let envelope = try check.envelope(head, from: connection)
            return Delivery(sender: connection.node, envelope: envelope, payload: payload)
        } catch {
            drops.count(error.reason, from: error.sender)
            return nil
        }
    }

    private func link(to node: NodeID) throws(LinkError) -> OutboundLink {
        guard let link = outbound[node] else { throw .notConnected(node) }
        return link
    }

    private func open(_ peer: Peer) throws(LinkError) -> OutboundLink {
        var options = Self.options(limits)
        options.routingID = ConnectionID(node: node).routingID
        if let security {
            guard let serverKey = security.publicKey(of: peer.node) else {
                throw .refused("\(peer.node)'s key is not known here; links are not made without")
            }
            options.curve = .client(security.keys, serverKey: serverKey)
        }
        do throws(ZeroMQError) {
            let socket = try Socket(.dealer, name: peer.dataEndpoint, options: options, context: context)
            try socket.connect(peer.dataEndpoint)
            return OutboundLink(socket: socket, peer: peer)
        } catch {
            throw error.asLinkError
        }
    }

    private func encode(_ envelope: Envelope) throws(LinkError) -> Message {
        try Message(encoding: envelope, limits: limits.wire)
    }

    private func linkError(_ error: ZeroMQError, _ node: NodeID) -> LinkError {
        error.isTimeout
            ? .timedOut(node, afterMilliseconds: Int(limits.sendTimeout.wholeMilliseconds)) : error.asLinkError
    }

    private static func options(_ limits: DataLinkLimits) -> SocketOptions {
        var options = SocketOptions()
        options.linger = .zero
        options.sendTimeout = limits.sendTimeout
        options.sendQueueLength = limits.sendQueueLength
        options.receiveQueueLength = limits.receiveQueueLength
        options.maximumMessageByteCount = max(limits.maximumPayloadByteCount, limits.wire.maximumEnvelopeByteCount)
        return options
    }
}

extension Message {
    /// A part with a copy of a payload.
    init(payload: RawSpan) throws(LinkError) {
        do throws(ZeroMQError) {
            try self.init(copying: payload)
        } catch {
            throw error.asLinkError
        }
    }

    /// A part that holds `envelope`.
    init(encoding envelope: Envelope, limits: WireLimits) throws(LinkError) {
        let bytes: [UInt8]
        do throws(WireError) {
            bytes = try Wire.encode(envelope, limits: limits)
        } catch {
            throw .refused(error.description)
        }
        try self.init(payload: bytes.span.bytes)
    }
}
