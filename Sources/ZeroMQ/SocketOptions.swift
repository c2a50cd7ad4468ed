import CZeroMQ
public import Transport

/// How a socket behaves. Set before it binds or connects; every wait it can cause is bounded.
public struct SocketOptions: Equatable, Sendable {
    /// How long unsent messages may keep leaving after the socket was closed.
    public var linger: Duration = .zero
    /// Messages queued for one peer before sending waits.
    public var sendQueueLength = 64
    /// Messages queued from one peer before its connection is no longer read.
    public var receiveQueueLength = 64
    /// How long a send waits for a connection with room in its queue.
    public var sendTimeout: Duration = .seconds(1)
    /// How long a receive waits.
    public var receiveTimeout: Duration = .seconds(1)
    /// A peer that sends a part larger than this is disconnected before the part is allocated.
    public var maximumMessageByteCount = 4 << 20
    /// Queue only to completed connections. Otherwise messages pile up for a peer that may never come.
    public var isImmediate = true
    /// What a ROUTER at the other end knows this socket by: 1 to 255 bytes, the first not 0. Nil lets it choose.
    public var routingID: [UInt8]?
    /// ROUTER: a message to a peer that is not there is an error instead of being dropped in silence.
    public var reportsUnroutable = true
    /// ROUTER: a new connection with the routing id of an existing one takes its place. Otherwise the new one is ignored
    /// and, in 4.3.4, its next message is read as another routing id: it would never be heard.
    public var handsOverRoutingID = false
    /// How often a quiet connection is probed, how long an answer may take, and after how long the other side gives
    /// this one up (ZMTP PING). DEALER and ROUTER only: libzmq 4.3.4 aborts the process when a SUB socket's times out.
    public var heartbeatInterval: Duration = .seconds(1)
    public var heartbeatTimeout: Duration = .seconds(5)
    /// How long a connection may take to introduce itself.
    public var handshakeTimeout: Duration = .seconds(5)
    /// How long one attempt to connect may take.
    public var connectTimeout: Duration = .seconds(3)
    /// First and longest wait between attempts to connect.
    public var reconnectInterval: Duration = .milliseconds(100)
    public var maximumReconnectInterval: Duration = .seconds(1)

    /// Encryption, and who may connect; nil for plain text.
    var curve: CurveRole?

    public init() {}

    /// Has the socket connect with these keys, to nobody but who has `serverKey`.
    public mutating func encrypt(as keys: KeyPair, to serverKey: PublicKey) {
        curve = .client(keys, serverKey: serverKey)
    }
}

/// What a socket is in CurveZMQ.
enum CurveRole: Equatable, Sendable {
    /// It listens, and takes whom the authenticator lets into `domain`.
    case server(SecretKey, domain: String)
    /// It connects to whoever has the server key.
    case client(KeyPair, serverKey: PublicKey)
}

extension SocketOptions {
    /// Sets all options on a libzmq socket called `name` in errors.
    func apply(to socket: UnsafeMutableRawPointer, isRouter: Bool, name: String) throws(ZeroMQError) {
        let milliseconds: [(CInt, Duration)] = [
            (ZMQ_LINGER, linger), (ZMQ_SNDTIMEO, sendTimeout), (ZMQ_RCVTIMEO, receiveTimeout),
            (ZMQ_HEARTBEAT_IVL, heartbeatInterval), (ZMQ_HEARTBEAT_TIMEOUT, heartbeatTimeout),
            (ZMQ_HEARTBEAT_TTL, heartbeatTimeout), (ZMQ_HANDSHAKE_IVL, handshakeTimeout),
            (ZMQ_CONNECT_TIMEOUT, connectTimeout), (ZMQ_RECONNECT_IVL, reconnectInterval),
            (ZMQ_RECONNECT_IVL_MAX, maximumReconnectInterval),
        ]
        var numbers = milliseconds.map { ($0, $1.wholeMilliseconds) }
        numbers.append((ZMQ_SNDHWM, CInt(clamping: max(1, sendQueueLength))))
        numbers.append((ZMQ_RCVHWM, CInt(clamping: max(1, receiveQueueLength))))
        numbers.append((ZMQ_IMMEDIATE, isImmediate ? 1 : 0))
        // An address of IP version 6 stands in brackets; without them libzmq looks up names in version 4 only.
        numbers.append((ZMQ_IPV6, name.contains("[") ? 1 : 0))
        if isRouter {
            numbers.append((ZMQ_ROUTER_MANDATORY, reportsUnroutable ? 1 : 0))
            numbers.append((ZMQ_ROUTER_HANDOVER, handsOverRoutingID ? 1 : 0))
        }
        for (option, number) in numbers {
            var value = number
            try check(zmq_setsockopt(socket, option, &value, MemoryLayout<CInt>.size), option, name)
        }

        // zmq_setsockopt(3): "If a peer sends a message larger than ZMQ_MAXMSGSIZE it is disconnected." An int64_t.
        var byteCount = Int64(maximumMessageByteCount)
        try check(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &byteCount, MemoryLayout<Int64>.size), ZMQ_MAXMSGSIZE, name)
        switch curve {
        case nil: break
        case .server(let secretKey, let domain):
            var isServer: CInt = 1
            try check(
                zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &isServer, MemoryLayout<CInt>.size), ZMQ_CURVE_SERVER, name)
            try set(secretKey.text, ZMQ_CURVE_SECRETKEY, socket, name)
            try set(domain, ZMQ_ZAP_DOMAIN, socket, name)
        case .client(let keys, let serverKey):
            try set(serverKey.text, ZMQ_CURVE_SERVERKEY, socket, name)
            try set(keys.publicKey.text, ZMQ_CURVE_PUBLICKEY, socket, name)
            try set(keys.secretKey.text, ZMQ_CURVE_SECRETKEY, socket, name)
        }
        if let routingID {
            try check(zmq_setsockopt(socket, ZMQ_ROUTING_ID, routingID, routingID.count), ZMQ_ROUTING_ID, name)
        }
    }

    private func set(
        _ text: String, _ option: CInt, _ socket: UnsafeMutableRawPointer, _ name: String
    ) throws(ZeroMQError) {
        try check(zmq_setsockopt(socket, option, text, text.utf8.count), option, name)
    }

    private func check(_ result: CInt, _ option: CInt, _ name: String) throws(ZeroMQError) {
        if result != 0 { throw ZeroMQError("set option \(option) of the socket for", name) }
    }
}
