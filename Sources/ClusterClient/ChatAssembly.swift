import Foundation

/// Reads the events of a streamed chat answer.
struct ChatAssembly {
    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
            }

            var delta: Delta
            var finishReason: String?

            private enum CodingKeys: String, CodingKey {
                case delta
                case finishReason = "finish_reason"
            }
        }

        struct Usage: Decodable {
            var promptTokens: Int
            var completionTokens: Int

            private enum CodingKeys: String, CodingKey {
                case promptTokens = "prompt_tokens"
                case completionTokens = "completion_tokens"
            }
        }

        var choices: [Choice]
        var usage: Usage?
    }

    private let url: String
    private var finishReason: String?
    private var usage: Chunk.Usage?

    /// - Parameter url: what errors name.
    init(url: String) { self.url = url }

    /// The texts that the data of one event brings.
    ///
    /// - Throws: ``ClusterClientError/refused(url:status:code:message:)`` if the event is an error.
    mutating func take(_ data: [UInt8]) throws(ClusterClientError) -> [ChatEvent] {
        if data == Array("[DONE]".utf8) { return [] }
        let data = Data(data)
        if let error = try? JSONDecoder().decode(ServerError.self, from: data).error {
            // The status line has long gone out; the failure is the server's.
            throw .refused(url: url, status: 500, code: error.code, message: error.message)
        }
        guard let chunk = try? JSONDecoder().decode(Chunk.self, from: data) else {
            throw .unexpectedAnswer(url: url, problem: "an event is no chat chunk")
        }
        usage = chunk.usage ?? usage
        var events: [ChatEvent] = []
        for choice in chunk.choices {
            finishReason = choice.finishReason ?? finishReason
            if let text = choice.delta.content, !text.isEmpty { events.append(.text(text)) }
        }
        return events
    }

    /// The stream has ended.
    func finish() throws(ClusterClientError) -> ChatEvent {
        guard let finishReason else {
            throw .connectionLost(url: url, reason: "the stream ended before the answer did")
        }
        return .finished(
            ChatSummary(
                finishReason: finishReason, promptTokenCount: usage?.promptTokens ?? 0,
                completionTokenCount: usage?.completionTokens ?? 0))
    }
}
