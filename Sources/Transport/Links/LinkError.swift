/// Why a link could not do what it was asked to.
public enum LinkError: Error, Equatable, Sendable {
    /// There is no link to this node; `connect(to:)` makes one.
    case notConnected(NodeID)
    /// The peer could not be reached, or its queue stayed full, for this long.
    case timedOut(NodeID, afterMilliseconds: Int)
    /// The connection that an answer was meant for is gone.
    case unreachable(NodeID)
    /// The message breaks a limit of the protocol; the text says which.
    case refused(String)
    /// The transport itself failed.
    case system(operation: String, endpoint: String, reason: String)

    /// Whether trying the same again may succeed.
    public var isRetryable: Bool {
        switch self {
        case .timedOut, .unreachable, .system: true
        case .notConnected, .refused: false
        }
    }

    /// The node that took nothing, if that was it.
    public var silentNode: NodeID? {
        switch self {
        case .timedOut(let node, _), .unreachable(let node): node
        case .notConnected, .refused, .system: nil
        }
    }
}

extension LinkError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notConnected(let node): "no link to \(node); connect to it first"
        case .timedOut(let node, let afterMilliseconds):
            "\(node) took nothing within \(afterMilliseconds) ms; check that it runs and that its data endpoint can be "
                + "reached from here"
        case .unreachable(let node): "the connection to \(node) is gone; it has to say hello again"
        case .refused(let problem): "message not sent: \(problem)"
        case .system(let operation, let endpoint, let reason): "\(operation) \(endpoint): \(reason)"
        }
    }
}
