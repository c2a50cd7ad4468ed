import CZeroMQ
import Glibc
import Transport

/// Owner of a ZeroMQ socket. Made, used and dropped on one thread.
public struct Socket: ~Copyable {
    public enum Kind: Sendable {
        /// One queue in from all peers, the peer's routing id as the first part; sends to the peer named by the first part.
        case router
        /// Sends to the peers it is connected to in turn; receives from all of them.
        case dealer
    }

    let handle: UnsafeMutableRawPointer
    /// What the socket is called in errors: where it is bound or connected.
    let name: String

    /// A new socket.
    ///
    /// - Parameter name: what errors call it, normally the endpoint it is for.
    public init(
        _ kind: Kind, name: String, options: SocketOptions, context: Context = .shared
    ) throws(ZeroMQError) {
        let type =
            switch kind {
            case .router: ZMQ_ROUTER
            case .dealer: ZMQ_DEALER
            }
        handle = try Self.open(type, name: name, options: options, context: context)
        self.name = name
    }

    deinit { zmq_close(handle) }

    /// Listens at `endpoint`; `tcp://127.0.0.1:0` takes any free port, which `lastEndpoint` then tells.
    public func bind(_ endpoint: String) throws(ZeroMQError) {
        try check(zmq_bind(handle, endpoint), "bind", endpoint)
    }

    /// Stops listening at `endpoint`.
    public func unbind(_ endpoint: String) throws(ZeroMQError) {
        try check(zmq_unbind(handle, endpoint), "unbind", endpoint)
    }

    /// Connects to `endpoint` behind the scenes, now and after every break.
    public func connect(_ endpoint: String) throws(ZeroMQError) {
        try check(zmq_connect(handle, endpoint), "connect to", endpoint)
    }

    /// The endpoint last bound or connected, with its port.
    public func lastEndpoint() throws(ZeroMQError) -> String {
        var bytes = [CChar](repeating: 0, count: 512)
        var byteCount = bytes.count
        try check(zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &bytes, &byteCount), "ask for the endpoint of")
        return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Sends one part, waiting at most the send time-out, or not at all.
    public func send(
        _ message: consuming Message, hasMore: Bool = false, waits: Bool = true
    ) throws(ZeroMQError) {
        let flags = (hasMore ? ZMQ_SNDMORE : 0) | (waits ? 0 : ZMQ_DONTWAIT)
        while zmq_msg_send(message.part, handle, flags) < 0 {
            let code = zmq_errno()
            if code != EINTR { throw ZeroMQError("send to", name, code: code) }
        }
    }

    /// The next part; nil if none is there, after the receive time-out or, unless `waits`, at once.
    public func receive(waits: Bool = true) throws(ZeroMQError) -> Message? {
        let message = Message()
        while zmq_msg_recv(message.part, handle, waits ? 0 : ZMQ_DONTWAIT) < 0 {
            let code = zmq_errno()
            if code == EAGAIN { return nil }
            if code != EINTR { throw ZeroMQError("receive from", name, code: code) }
        }
        return message
    }

    /// A libzmq socket of `type` with all options set.
    private static func open(
        _ type: CInt, name: String, options: SocketOptions, context: Context
    ) throws(ZeroMQError) -> UnsafeMutableRawPointer {
        guard let context = context.handle, let handle = zmq_socket(context, type) else {
            throw ZeroMQError("open a socket for", name)
        }
        do throws(ZeroMQError) {
            try options.apply(to: handle, isRouter: type == ZMQ_ROUTER, name: name)
        } catch {
            zmq_close(handle)
            throw error
        }
        return handle
    }

    /// Throws what libzmq reports if `result` says that a call failed.
    private func check(_ result: CInt, _ operation: String, _ endpoint: String? = nil) throws(ZeroMQError) {
        if result != 0 { throw ZeroMQError(operation, endpoint ?? name) }
    }
}
