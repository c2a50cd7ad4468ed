import ClusterCore
import HTTPTypes
import Hummingbird

/// Streams that clients have lost, as when the coordinator was started anew, and go on reading.
extension API {
    private static let lastEventID = HTTPField.Name("Last-Event-ID")

    /// `GET /v1/ryz/streams/{id}`: what follows the event that `Last-Event-ID` names; without it, the whole stream.
    func stream(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let id = context.parameters.get("id") ?? ""
        return try await resume(id, after: lastEventID(of: request), context)
    }

    /// What follows the event that a request for a new stream names in `Last-Event-ID`; nil if it names none.
    func resumed(_ request: Request, _ context: ConnectionContext) async throws -> Response? {
        guard let event = lastEventID(of: request), let end = event.lastIndex(of: ":") else { return nil }
        return try await resume(String(event[..<end]), after: event, context)
    }

    private func lastEventID(of request: Request) -> String? {
        Self.lastEventID.flatMap { request.headers[$0] }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private func resume(_ id: String, after event: String?, _ context: ConnectionContext) async throws -> Response {
        guard let kept = try await engine.keptStream(id), let answer = try? AnswerDescription(text: kept.description)
        else {
            throw APIError.streamNotFound(id: String(id.prefix(200)))
        }
        let choiceCount = answer.plan.choices.count
        guard let event else {
            return try await stream(answer, from: StreamPosition(choiceCount: choiceCount), interruptions(context))
        }
        guard let position = StreamPosition(eventID: event, of: id, choiceCount: choiceCount) else {
            throw APIError.invalid(
                parameter: "Last-Event-ID", problem: "'Last-Event-ID' is not the id of an event of \(id)")
        }
        return try await stream(answer, from: position, interruptions(context))
    }
}
