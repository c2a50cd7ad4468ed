import ClusterCore

/// Everything that a request can be answered with instead of a result.
public enum APIError: Error, Equatable, Sendable {
    /// The body is not JSON; the text says where.
    case malformedJSON(String)
    /// A field is missing, of a wrong type or out of range. Nil if the body as a whole is meant.
    case invalid(parameter: String?, problem: String)
    /// A field asks for something that this server does not do.
    case unsupported(parameter: String, problem: String)
    case modelNotFound(requested: String, served: String)
    case routeNotFound(path: String)
    /// A stream that never was, or is kept no more.
    case streamNotFound(id: String)
    case methodNotAllowed(method: String, path: String, allowed: String)
    /// The request has no key, and this server wants one.
    case keyMissing
    case keyUnknown
    /// The key is not an operator's.
    case keyInsufficient
    case bodyTooLarge(limitByteCount: Int)
    /// The bodies of other requests leave no room for this one at the moment.
    case bodiesTooLarge(limitByteCount: Int)
    /// The body did not arrive in time.
    case bodyTimedOut(seconds: Int)
    /// The chat template refused the messages or failed on them.
    case chatTemplate(ChatTemplateFailure)
    case generation(GenerationError)
    /// Nothing can be measured at the moment.
    case notMeasured(MeasuringRefusal)
    /// The cluster does not do what an operator asks.
    case refused(OperationRefusal)
    /// The server is going down and its grace for running requests is over.
    case shuttingDown
    /// A defect of the server.
    case internalFailure(String)
}

/// The client has closed its connection. Nobody is left to answer to.
struct ClientDisconnected: Error {}
