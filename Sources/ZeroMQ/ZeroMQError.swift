import CZeroMQ
import Glibc
import Transport

/// A call into libzmq, or into the system beneath it, that failed.
public struct ZeroMQError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was tried, such as `bind`.
    public let operation: String
    /// Where, such as `tcp://*:7070`.
    public let endpoint: String
    /// The system's words for what went wrong.
    public let reason: String
    /// The error number.
    public let code: CInt

    init(_ operation: String, _ endpoint: String, code: CInt = zmq_errno()) {
        self.operation = operation
        self.endpoint = endpoint
        self.code = code
        reason = zmq_strerror(code).map { String(cString: $0) } ?? "error \(code)"
    }

    public var description: String {
        let remedy: String
        switch code {
        case EADDRINUSE: remedy = "; choose another port or stop the program that has this one"
        case EADDRNOTAVAIL, ENODEV: remedy = "; give an address of this machine"
        case EINVAL, EPROTONOSUPPORT: remedy = "; write it as tcp://HOST:PORT"
        default: remedy = ""
        }
        return "\(operation) \(endpoint): \(reason)\(remedy)"
    }

    /// Whether a time-out passed, or a queue was full, before the operation could be done.
    var isTimeout: Bool { code == EAGAIN }

    /// The same, as the transport's error.
    var asLinkError: LinkError { .system(operation: operation, endpoint: endpoint, reason: reason) }
}
