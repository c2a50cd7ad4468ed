import CZeroMQ
import Glibc
import Synchronization
import Transport

/// Answers libzmq when it asks whether a connection may be made (ZAP, rfc.zeromq.org/spec/27).
///
/// A context has one, which all its encrypted sockets ask, each under the name of its domain. It lets in whom the domain
/// says; whatever it does not know is refused.
final class Authenticator: Sendable {
    static let shared = Authenticator()

    private struct State {
        var isRunning = false
        /// What to ask, by domain.
        var domains: [String: @Sendable (String) -> Bool] = [:]
    }

    private static let endpoint = "inproc://zeromq.zap.01"
    private let state = Mutex(State())

    private init() {}

    /// Takes in a domain; `isKnown` says whether the public key of this text may come in.
    func add(_ domain: String, _ isKnown: @escaping @Sendable (String) -> Bool) throws(ZeroMQError) {
        try state.withLock { state throws(ZeroMQError) in
            // Before the first encrypted socket listens: a connection that finds nobody to ask is let in by libzmq.
            if !state.isRunning { try start() }
            state.isRunning = true
            state.domains[domain] = isKnown
        }
    }

    func remove(_ domain: String) { _ = state.withLock { $0.domains.removeValue(forKey: domain) } }

    private func start() throws(ZeroMQError) {
        guard let context = Context.shared.handle, let handle = zmq_socket(context, ZMQ_REP) else {
            throw ZeroMQError("open a socket for", Self.endpoint)
        }
        do throws(ZeroMQError) {
            guard zmq_bind(handle, Self.endpoint) == 0 else { throw ZeroMQError("bind", Self.endpoint) }
            nonisolated(unsafe) let socket = handle
            _ = try OwnedThread.start(name: "zmq-zap") { self.answer(on: socket) }
        } catch {
            zmq_close(handle)
            throw error
        }
    }

    /// Until the context ends.
    private func answer(on socket: UnsafeMutableRawPointer) {
        defer { zmq_close(socket) }
        while let request = receive(from: socket) {
            let key = key(request)
            // version, request id, status code, status text, user id, metadata
            let reply = ["1.0", request.id, key == nil ? "400" : "200", key == nil ? "no" : "OK", key ?? "", ""]
            for (index, part) in reply.enumerated() {
                let flags = index + 1 < reply.count ? ZMQ_SNDMORE : 0
                guard zmq_send(socket, part, part.utf8.count, flags) >= 0 else { return }
            }
        }
    }

    private struct Request {
        var id = ""
        var domain = ""
        var mechanism = ""
        var key: [UInt8] = []
    }

    /// The text of the key that is asked for, if it is known.
    private func key(_ request: Request) -> String? {
        guard request.mechanism == "CURVE", request.key.count == 32 else { return nil }
        // 40 characters and a NUL.
        var text = [CChar](repeating: 0, count: 41)
        guard zmq_z85_encode(&text, request.key, request.key.count) != nil else { return nil }
        let key = String(decoding: text.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return state.withLock { $0.domains[request.domain] }?(key) == true ? key : nil
    }

    /// The next request; nil once the context has ended. libzmq sends version, request id, domain, address, identity,
    /// mechanism and the key, all of them small.
    private func receive(from socket: UnsafeMutableRawPointer) -> Request? {
        var parts: [[UInt8]] = []
        while true {
            var message = zmq_msg_t()
            zmq_msg_init(&message)
            defer { zmq_msg_close(&message) }
            guard zmq_msg_recv(&message, socket, 0) >= 0 else {
                if zmq_errno() == EINTR { continue }
                return nil
            }
            parts.append(Array(UnsafeRawBufferPointer(start: zmq_msg_data(&message), count: zmq_msg_size(&message))))
            if zmq_msg_more(&message) == 0 { break }
        }
        var request = Request()
        func text(_ index: Int) -> String { index < parts.count ? String(decoding: parts[index], as: UTF8.self) : "" }
        request.id = text(1)
        request.domain = text(2)
        request.mechanism = text(5)
        if parts.count > 6 { request.key = parts[6] }
        return request
    }
}
