/// Where the server listens and what it allows.
public struct HTTPServerConfiguration: Sendable, Equatable {
    /// Name or address of the interface; nothing else is listened on.
    public var host: String
    /// 0 lets the system choose one.
    public var port: Int
    public var limits: HTTPLimits

    public init(host: String, port: Int, limits: HTTPLimits = HTTPLimits()) {
        self.host = host
        self.port = port
        self.limits = limits
    }
}

/// Bounds on what clients can ask for and how long they can take.
public struct HTTPLimits: Sendable, Equatable {
    public var bodyByteCount = 4 << 20
    /// Of all bodies that are being read or parsed, over all connections; beyond it requests are refused.
    public var totalBodyByteCount = 256 << 20
    /// Of one header field, and of all of them together.
    public var headerByteCount = 32 << 10
    public var headerFieldCount = 100
    /// Further connections wait in the listen backlog until one closes.
    public var connectionCount = 1024
    /// A connection without a request, or whose request makes no progress in arriving, is closed after this.
    public var idleTimeout = Duration.seconds(60)
    /// From the header to the end of the body.
    public var bodyTimeout = Duration.seconds(60)
    /// A client that leaves its receive window full for so long is disconnected.
    public var stallTimeout = Duration.seconds(60)
    /// A stream that has nothing to say carries a comment, at the latest after twice this time. Also how long an answer
    /// waits for its first token before the header goes out; a failure within that time has a status code of its own.
    public var keepAliveInterval = Duration.seconds(10)
    /// How long running requests may go on after a graceful shutdown began.
    public var shutdownGrace = Duration.seconds(30)
    /// Largest `n`, and how many sequences of one request run at the same time.
    public var choiceCount = 16
    /// Prompts in one completion request.
    public var promptCount = 256

    public init() {}
}

/// Why the server could not start.
public enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotListen(host: String, port: Int, reason: String)
    /// The server ended before it listened anywhere.
    case notRunning

    public var description: String {
        switch self {
        case .cannotListen(let host, let port, let reason):
            "cannot listen on \(host):\(port): \(reason); stop the program that has the port, or choose another address"
        case .notRunning: "the HTTP server is not running"
        }
    }
}
