import Foundation
import HTTPTypes
import Hummingbird
import JSON
import Logging
import Transport

/// What the routes share.
struct API: Sendable {
    let model: ServedModel
    let engine: any GenerationEngine
    let codec: any TextCodec
    /// Nil: no keys are wanted.
    let access: ClientAccess?
    let limits: HTTPLimits
    let bodies: BodyBudget
    let registry: ConnectionRegistry
    let shutDown: Latch
    let logger: Logger

    /// All routes, with every error in OpenAI's shape.
    func router() -> Router<ConnectionContext> {
        let router = Router(context: ConnectionContext.self)
        router.add(middleware: ErrorMiddleware(logger: logger))
        add(.get, "/healthz", for: nil, to: router, alive)
        add(.get, "/readyz", for: nil, to: router, ready)
        add(.get, "/v1/models", to: router, models)
        add(.get, "/v1/models/**", to: router, model)
        add(.post, "/v1/chat/completions", to: router, chat)
        add(.post, "/v1/completions", to: router, complete)
        add(.get, "/v1/ryz/health", to: router, health)
        add(.get, "/v1/ryz/measurements", to: router, measurements)
        add(.post, "/v1/ryz/measure", for: .operator, to: router, measure)
        add(.post, "/v1/ryz/nodes/:node/drain", for: .operator, to: router, drain)
        add(.post, "/v1/ryz/nodes/:node/resume", for: .operator, to: router, resume)
        add(.post, "/v1/ryz/rebalance", for: .operator, to: router, rebalance)
        add(.post, "/v1/ryz/score", to: router, score)
        add(.post, "/v1/ryz/shutdown", for: .operator, to: router, shutDown)
        add(.get, "/v1/ryz/streams/:id", to: router, answersHead: false, stream)
        add(.post, "/v1/ryz/tokenize", to: router, tokenize)
        return router
    }

    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    /// Answers `method` on `path` with `answer`, HEAD wherever GET is answered unless that would do something, and all
    /// others with 405. Where keys are wanted at all, it takes one of `role`, or none if that is nil.
    private func add(
        _ method: HTTPRequest.Method, _ path: RouterPath, for role: ClientKey.Role? = .client,
        to router: Router<ConnectionContext>, answersHead: Bool = true,
        _ answer: @escaping @Sendable (Request, ConnectionContext) async throws -> Response
    ) {
        let access = role == nil ? nil : access
        let handler = { @Sendable (request: Request, context: ConnectionContext) async throws -> Response in
            var context = context
            context.owner = try access?.check(request, for: role ?? .client)
            return try await answer(request, context)
        }
        router.on(path, method: method, use: handler)
        var answered = [method]
        if method == .get, answersHead {
            answered.append(.head)
            router.on(path, method: .head) { request, context in
                let response = try await handler(request, context)
                let body = ResponseBody(contentLength: response.body.contentLength) { writer in
                    try await writer.finish(nil)
                }
                return Response(status: response.status, headers: response.headers, body: body)
            }
        }
        let allowed = answered.map(\.rawValue).joined(separator: ", ")
        for other in Self.methods where !answered.contains(other) {
            router.on(path, method: other) { request, _ -> Response in
                throw APIError.methodNotAllowed(
                    method: request.method.rawValue, path: request.uri.path, allowed: allowed)
            }
        }
    }

    /// The fields of a request's JSON body.
    func fields(of request: Request) async throws -> JSONFields {
        try await bodies.withShare { share in
            let bytes = try await request.readBody(limits: limits, share: share)
            let document: JSONDocument
            do {
                document = try JSONDocument(parsing: bytes)
            } catch {
                throw APIError.malformedJSON("the body is \(error)")
            }
            return try JSONFields(document.root, of: document)
        }
    }

    /// Refuses a request for a model that is not the served one. No model named means that one.
    func checkModel(_ fields: JSONFields) throws(APIError) {
        guard let name = try fields.string("model"), name != model.id else { return }
        throw .modelNotFound(requested: String(name.prefix(200)), served: model.id)
    }

    func interruptions(_ context: ConnectionContext) -> Interruptions {
        Interruptions(disconnected: registry.latch(of: context.channel), shutDown: shutDown)
    }

    func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try ResponseJSON.data(value))))
    }
}
