import ClusterCore
import Hummingbird

extension API {
    private struct MeasuringBegun: Encodable {
        var pendingCount: Int

        private enum CodingKeys: String, CodingKey {
            case pendingCount = "pending_count"
        }
    }

    /// `POST /v1/ryz/measure`: 202 with the number of measurements that are under way now, or 409 with the reason.
    func measure(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let count: Int
        do { count = try await engine.measure() } catch { throw APIError.notMeasured(error) }
        return try response(MeasuringBegun(pendingCount: count), status: .accepted)
    }

    /// `GET /v1/ryz/measurements`: what a plan is made from.
    func measurements(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        guard let input = await engine.planningInput() else {
            throw APIError.generation(.unavailable("the coordinator's thread does not answer"))
        }
        return try response(input)
    }
}
