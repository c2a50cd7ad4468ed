import Transport
import Wire

/// What control sockets may hold.
public struct ControlLimits: Equatable, Sendable {
    /// Messages queued for one peer, in each direction.
    public var queueLength = 64
    /// How long a last message, such as a refusal or a leave, may keep leaving after the socket was closed.
    public var linger: Duration = .milliseconds(500)
    /// Control messages are small; a larger one closes the connection.
    public var maximumMessageByteCount = 64 << 10
    public var wire = WireLimits.standard

    public init() {}

    var options: SocketOptions {
        var options = SocketOptions()
        options.linger = linger
        options.sendQueueLength = queueLength
        options.receiveQueueLength = queueLength
        options.sendTimeout = .zero
        options.maximumMessageByteCount = maximumMessageByteCount
        return options
    }
}

/// What arrives at the coordinator's control plane.
public enum ControlArrival: Equatable, Sendable {
    /// The envelope's sender is the connection's node. Its cluster and epoch have not been looked at.
    case message(Envelope, from: ConnectionID)
    /// A node of another protocol version, to be answered by a refusal that names both.
    case otherVersion(theirs: UInt32, from: ConnectionID)
}

/// The coordinator's end of the control plane: one ROUTER that all workers connect to. Belongs to one thread.
public final class ControlServer {
    /// Where workers connect, with the port that was really bound.
    public let endpoint: String
    /// What was dropped so far, by sender and reason.
    public private(set) var drops = DropCounters()

    private let limits: ControlLimits
    private let check: InboundCheck
    private let socket: Socket
    private var poller: Poller

    /// Listens at `endpoint`, such as `tcp://*:7070`; `wake` ends a `receive`. Without `security`, in plain text.
    public init(
        binding endpoint: String, limits: ControlLimits = ControlLimits(), security: NodeSecurity? = nil,
        wake: [WakeSignal] = [], context: Context = .shared
    ) throws(ZeroMQError) {
        self.limits = limits
        check = InboundCheck(
            limits: limits.wire, clusterID: nil, maximumPayloadByteCount: nil, security: security)
        poller = Poller(signals: wake)
        var options = limits.options
        options.handsOverRoutingID = true
        options.curve = security.map { .server($0.keys.secretKey, domain: $0.domain) }
        socket = try Socket(.router, name: endpoint, options: options, context: context)
        try socket.bind(endpoint)
        self.endpoint = try socket.lastEndpoint()
    }

    /// The next message, or nil when `timeout` has passed or a wake signal arrived. What is malformed, or from someone
    /// else than it says, is dropped and counted.
    public func receive(timeout: Duration) throws(LinkError) -> ControlArrival? {
        try socket.receive(&poller, timeout: timeout) { accept($0) }
    }

    /// Sends to a worker without waiting.
    ///
    /// - Throws: `LinkError.unreachable` if the connection is gone, `.timedOut` if its queue is full, `.refused` if the
    ///   envelope breaks the wire limits.
    public func send(_ envelope: Envelope, to connection: ConnectionID) throws(LinkError) {
        try socket.send(try Message(encoding: envelope, limits: limits.wire), to: connection)
    }

    /// Counts a message that the caller refuses.
    public func drop(from sender: NodeID, because reason: DropReason) {
        drops.count(reason, from: sender.name)
    }

    private func accept(_ received: consuming MessageParts) -> ControlArrival? {
        var parts = received
        do throws(InboundCheck.Rejection) {
            let connection = try check.connection(parts.first)
            guard parts.count == 2, let head = parts.second.take() else {
                throw check.rejection(.unexpectedFrames, from: connection)
            }
            return .message(try check.envelope(head, from: connection), from: connection)
        } catch {
            if let (connection, version) = error.otherVersion {
                return .otherVersion(theirs: version, from: connection)
            }
            drops.count(error.reason, from: error.sender)
            return nil
        }
    }
}
