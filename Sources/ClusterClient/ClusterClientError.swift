/// Why a request to a coordinator failed. Every case names the address it was sent to.
public enum ClusterClientError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The address cannot be used.
    case invalidURL(String, problem: String)
    /// No connection could be made.
    case unreachable(url: String, reason: String)
    /// Nothing came for so long.
    case timedOut(url: String, seconds: Int)
    /// The connection broke before the answer was complete.
    case connectionLost(url: String, reason: String)
    /// The coordinator answered with an error.
    case refused(url: String, status: Int, code: String?, message: String)
    /// The answer is not what a coordinator sends.
    case unexpectedAnswer(url: String, problem: String)

    public var description: String {
        switch self {
        case .invalidURL(let text, let problem):
            "'\(text)' is no coordinator address: \(problem); try http://127.0.0.1:8080"
        case .unreachable(let url, let reason): "\(url): \(reason); is ryz-coord running there?"
        case .timedOut(let url, let seconds): "\(url): no answer within \(seconds) s; see `ryz health`"
        case .connectionLost(let url, let reason): "\(url): the connection broke: \(reason)"
        case .refused(let url, 401, _, let message): "\(url): \(message) (HTTP 401); set \(ClusterClient.keyVariable)"
        case .refused(let url, let status, _, let message): "\(url): \(message) (HTTP \(status))"
        case .unexpectedAnswer(let url, let problem): "\(url): unexpected answer: \(problem); is this a ryz-coord?"
        }
    }

    /// Whether the same request may succeed later.
    public var isRetryable: Bool {
        switch self {
        case .unreachable, .timedOut, .connectionLost: true
        case .refused(_, let status, _, _): status == 429 || status >= 500
        case .invalidURL, .unexpectedAnswer: false
        }
    }

    /// Whether a stream that ended so may be read on.
    var mayBeResumed: Bool {
        switch self {
        case .unreachable, .timedOut, .connectionLost: true
        case .refused(_, _, let code, _):
            code.map { ["unavailable", "shutting_down", "queue_full"].contains($0) } ?? false
        case .invalidURL, .unexpectedAnswer: false
        }
    }
}
