import ClusterCore
import HTTPTypes

/// How an error looks to a client: the HTTP status and the fields of OpenAI's error object.
struct ErrorAnswer: Equatable, Sendable {
    var status: HTTPResponse.Status
    var message: String
    var type: String
    var parameter: String?
    var code: String?
    var retryAfterSeconds: Int?
    /// The methods that a path does answer to.
    var allowedMethods: String?

    private static func badRequest(_ message: String, parameter: String? = nil, code: String? = nil) -> ErrorAnswer {
        ErrorAnswer(
            status: .badRequest, message: message, type: "invalid_request_error", parameter: parameter, code: code)
    }

    private static func invalid(_ status: HTTPResponse.Status, _ message: String, code: String) -> ErrorAnswer {
        ErrorAnswer(status: status, message: message, type: "invalid_request_error", code: code)
    }

    private static func shuttingDown(_ message: String) -> ErrorAnswer {
        ErrorAnswer(
            status: .serviceUnavailable, message: message, type: "server_error", code: "shutting_down",
            retryAfterSeconds: 5)
    }

    init(
        status: HTTPResponse.Status, message: String, type: String, parameter: String? = nil, code: String? = nil,
        retryAfterSeconds: Int? = nil, allowedMethods: String? = nil
    ) {
        self.status = status
        self.message = message
        self.type = type
        self.parameter = parameter
        self.code = code
        self.retryAfterSeconds = retryAfterSeconds
        self.allowedMethods = allowedMethods
    }

    init(_ error: APIError) {
        switch error {
        case .malformedJSON(let problem):
            self = .badRequest(problem, code: "invalid_json")
        case .invalid(let parameter, let problem):
            self = .badRequest(problem, parameter: parameter, code: "invalid_value")
        case .unsupported(let parameter, let problem):
            self = .badRequest(problem, parameter: parameter, code: "unsupported_value")
        case .modelNotFound(let requested, let served):
            self = .invalid(
                .notFound, "the model '\(requested)' is not served here; ask for '\(served)'", code: "model_not_found")
            parameter = "model"
        case .streamNotFound(let id):
            self = .invalid(
                .notFound, "there is no stream '\(id)', or no more; ask anew", code: "stream_not_found")
        case .routeNotFound(let path):
            self = .invalid(.notFound, "there is nothing at \(path); see GET /v1/models", code: "not_found")
        case .methodNotAllowed(let method, let path, let allowed):
            self = .invalid(
                .methodNotAllowed, "\(path) does not answer to \(method); use \(allowed)", code: "method_not_allowed")
            allowedMethods = allowed
        case .keyMissing:
            self = .invalid(
                .unauthorized, "this server wants a key; send it as Authorization: Bearer KEY", code: "invalid_api_key")
        case .keyUnknown:
            self = .invalid(.unauthorized, "the key is not known here", code: "invalid_api_key")
        case .keyInsufficient:
            self = .invalid(
                .forbidden, "the key is a client's; this takes an operator's", code: "insufficient_permissions")
        case .bodyTooLarge(let limitByteCount):
            self = .invalid(
                .contentTooLarge, "the body is larger than the \(limitByteCount) bytes that this server takes",
                code: "body_too_large")
        case .bodiesTooLarge(let limitByteCount):
            self = .init(
                status: .serviceUnavailable,
                message: "the requests that are arriving together exceed \(limitByteCount) bytes; try again in 1 s",
                type: "server_error", code: "overloaded", retryAfterSeconds: 1)
        case .bodyTimedOut(let seconds):
            self = .invalid(
                .requestTimeout, "the body did not arrive within \(seconds) s; send it faster or make it smaller",
                code: "body_timed_out")
        case .chatTemplate(let failure) where failure.refusesAll:
            self = .badRequest(failure.description, code: "no_chat_template")
        case .chatTemplate(let failure):
            self = .badRequest(
                "the model's chat template does not take these messages: \(failure.description)",
                parameter: "messages", code: "chat_template_error")
        case .generation(let error):
            self = ErrorAnswer(error)
        case .notMeasured(let refusal):
            self = .invalid(.conflict, "nothing is measured now: \(refusal)", code: "not_idle")
        case .refused(let refusal) where refusal.isUnknownNode:
            self = .invalid(.notFound, refusal.description, code: "node_not_found")
        case .refused(let refusal):
            self = .invalid(.conflict, refusal.description, code: "refused")
        case .shuttingDown:
            self = .shuttingDown("the server is shutting down; try again later")
        case .internalFailure(let problem):
            self = .init(
                status: .internalServerError, message: "the server failed: \(problem)", type: "server_error",
                code: "internal_error")
        }
    }

    init(_ error: GenerationError) {
        let message = error.description
        switch error {
        case .queueFull(_, let retryAfterSeconds):
            self.init(
                status: .tooManyRequests, message: message, type: "rate_limit_error", code: "queue_full",
                retryAfterSeconds: retryAfterSeconds)
        case .contextExceeded:
            self = .badRequest(message, code: "context_length_exceeded")
        case .invalidRequest:
            self = .badRequest(message, code: "invalid_value")
        case .unavailable:
            self.init(
                status: .serviceUnavailable, message: message, type: "server_error", code: "unavailable",
                retryAfterSeconds: 2)
        case .shuttingDown:
            self = .shuttingDown(message)
        case .workerFailed:
            self.init(status: .serviceUnavailable, message: message, type: "server_error", code: "worker_failed")
        case .lostTooOften:
            self.init(status: .serviceUnavailable, message: message, type: "server_error", code: "lost_too_often")
        }
    }

    /// Any error: those that are not ours are a defect of the server, and say no more than their kind.
    init(_ error: any Error) {
        switch error {
        case let error as APIError: self.init(error)
        case let error as GenerationError: self.init(error)
        default: self.init(.internalFailure("unexpected \(Swift.type(of: error))"))
        }
    }
}

/// OpenAI's error object.
struct ErrorBody: Encodable, Sendable {
    struct Details: Encodable, Sendable {
        var message: String
        var type: String
        @Nullable var param: String?
        @Nullable var code: String?
    }

    var error: Details

    init(_ answer: ErrorAnswer) {
        self.error = Details(
            message: answer.message, type: answer.type, param: answer.parameter, code: answer.code)
    }
}
