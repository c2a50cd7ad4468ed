import Foundation
import Hummingbird

extension API {
    /// `GET /v1/models`
    func models(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        try response(ModelList(data: [ModelCard(model)]))
    }

    /// `GET /v1/models/{id}`, where the id may have slashes in it.
    func model(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let parts = context.parameters.getCatchAll().map { $0.removingPercentEncoding ?? String($0) }
        let requested = parts.joined(separator: "/")
        guard requested == model.id else {
            throw APIError.modelNotFound(requested: String(requested.prefix(200)), served: model.id)
        }
        return try response(ModelCard(model))
    }
}
