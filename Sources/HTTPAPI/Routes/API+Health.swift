import Hummingbird

extension API {
    private struct Liveness: Encodable {
        var status: String
        var reason: String?
    }

    /// `GET /healthz`: the process answers.
    func alive(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try response(Liveness(status: "ok"))
    }

    /// `GET /readyz`: 200 if the cluster serves, else 503 with the reason.
    func ready(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let (isReady, reason) = engine.readiness()
        if isReady { return try response(Liveness(status: "ready")) }
        return try response(Liveness(status: "not ready", reason: reason), status: .serviceUnavailable)
    }

    /// `GET /v1/ryz/health`: all that is known of the cluster.
    func health(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try response(await engine.health())
    }
}
