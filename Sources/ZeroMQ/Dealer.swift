import Glibc
import Transport
import Wire

/// A DEALER connected to one node. Belongs to one thread.
final class Dealer {
    private let node: NodeID
    private let peer: NodeID
    private let endpoint: String
    private let options: SocketOptions
    private let limits: WireLimits
    private let context: Context
    private var socket: Socket
    private var poller: Poller

    /// Connects to `endpoint`, now or when it comes up; `wake` ends a `receive`. Without `security`, in plain text; with it,
    /// to nobody but who has the key of `peer`.
    init(
        node: NodeID, peer: NodeID, endpoint: String, options: SocketOptions, limits: WireLimits,
        security: NodeSecurity?, wake: [WakeSignal], context: Context
    ) throws(ZeroMQError) {
        var options = options
        if let security {
            guard let serverKey = security.publicKey(of: peer) else {
                throw ZeroMQError("know the key of \(peer) for", endpoint, code: EINVAL)
            }
            options.curve = .client(security.keys, serverKey: serverKey)
        }
        (self.node, self.peer, self.endpoint) = (node, peer, endpoint)
        (self.options, self.limits, self.context) = (options, limits, context)
        poller = Poller(signals: wake)
        socket = try Self.open(node, endpoint, options, context)
    }

    /// For `Poller`, as long as there is no other connection.
    var handle: UnsafeMutableRawPointer? { socket.handle }

    /// Replaces the connection by a fresh one, which the peer sees as another `ConnectionID`. What was under way on the old
    /// one never comes.
    func reconnect() throws(LinkError) {
        do throws(ZeroMQError) {
            socket = try Self.open(node, endpoint, options, context)
        } catch {
            throw error.asLinkError
        }
    }

    /// Sends without waiting.
    ///
    /// - Throws: `LinkError.timedOut` while there is no connection, or its queue is full; `.refused` if the envelope
    ///   breaks the wire limits.
    func send(_ envelope: Envelope) throws(LinkError) {
        let message = try Message(encoding: envelope, limits: limits)
        do throws(ZeroMQError) {
            try socket.send(message, waits: false)
        } catch {
            throw error.isTimeout ? .timedOut(peer, afterMilliseconds: 0) : error.asLinkError
        }
    }

    /// The first message that `accept` takes, or nil when `timeout` has passed or a wake signal arrived.
    func receive<Arrival>(
        timeout: Duration, accept: (consuming MessageParts) -> Arrival?
    ) throws(LinkError) -> Arrival? {
        try socket.receive(&poller, timeout: timeout, accept: accept)
    }

    private static func open(
        _ node: NodeID, _ endpoint: String, _ options: SocketOptions, _ context: Context
    ) throws(ZeroMQError) -> Socket {
        var options = options
        options.routingID = ConnectionID(node: node).routingID
        let socket = try Socket(.dealer, name: endpoint, options: options, context: context)
        try socket.connect(endpoint)
        return socket
    }
}
