import ClusterCore
import Hummingbird
import Transport

/// What operators ask of the cluster: 202 when it is under way, 409 with the reason when it is refused, 404 for a worker
/// that is not known. `GET /v1/ryz/health` shows how far it is.
extension API {
    private struct Begun: Encodable {
        var status = "accepted"
    }

    /// `POST /v1/ryz/nodes/{node}/drain`; with `?force=true` also where no other worker can take over.
    func drain(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let force = request.uri.queryParameters["force"].map(String.init) ?? "false"
        guard ["true", "false"].contains(force) else {
            throw APIError.invalid(parameter: "force", problem: "'force' is neither true nor false")
        }
        return try await begin(.drain(try node(context), isForced: force == "true"))
    }

    /// `POST /v1/ryz/nodes/{node}/resume`
    func resume(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try await begin(.resume(try node(context)))
    }

    /// `POST /v1/ryz/rebalance`
    func rebalance(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try await begin(.rebalance)
    }

    /// `POST /v1/ryz/shutdown`
    func shutDown(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try await begin(.shutDown)
    }

    private func begin(_ operation: ClusterOperation) async throws -> Response {
        do { try await engine.operate(operation) } catch { throw APIError.refused(error) }
        return try response(Begun(), status: .accepted)
    }

    private func node(_ context: ConnectionContext) throws -> NodeID {
        let text = context.parameters.get("node") ?? ""
        guard let node = NodeID(text.removingPercentEncoding ?? text) else {
            throw APIError.invalid(
                parameter: "node", problem: "a worker's name has 1 to 64 of A–Z a–z 0–9 . _ -")
        }
        return node
    }
}
