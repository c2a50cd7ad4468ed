import Foundation
import NIOCore

/// How the choices of an answer are written: as a chat or as plain completions.
protocol CompletionFormat: Sendable {
    /// The event that opens a choice of a streamed answer, if the format has one.
    func opening(choice: Int) throws -> ByteBuffer?
    func event(choice: Int, _ delta: ChoiceDelta) throws -> ByteBuffer
    /// The event with the usage, which has no choices.
    func event(_ usage: Usage) throws -> ByteBuffer
    /// The body of an answer that is not streamed.
    func body(_ choices: [ChoiceDelta], _ usage: Usage) throws -> Data
}

/// What every object of one answer says of itself.
struct AnswerIdentity: Codable, Sendable {
    var id: String
    var created: Int
    var model: String

    /// - Parameter prefix: `chatcmpl` or `cmpl`.
    init(prefix: String, model: String) {
        var generator = SystemRandomNumberGenerator()
        let digits = [generator.next(), generator.next()].map { value in
            let hexadecimal = String(value as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - hexadecimal.count) + hexadecimal
        }
        id = prefix + "-" + digits.joined()
        created = Int(Date().timeIntervalSince1970)
        self.model = model
    }
}

struct ChatFormat: CompletionFormat {
    let identity: AnswerIdentity
    let reportsLogProbabilities: Bool
    let codec: any TextCodec

    func opening(choice: Int) throws -> ByteBuffer? {
        try chunk([
            .init(index: choice, delta: .init(role: "assistant", content: ""), logprobs: nil, finishReason: nil)
        ])
    }

    func event(choice: Int, _ delta: ChoiceDelta) throws -> ByteBuffer {
        try chunk([
            .init(
                index: choice, delta: .init(role: nil, content: delta.text.isEmpty ? nil : delta.text),
                logprobs: logProbabilities(delta), finishReason: delta.finishReason?.rawValue)
        ])
    }

    func event(_ usage: Usage) throws -> ByteBuffer { try chunk([], usage) }

    func body(_ choices: [ChoiceDelta], _ usage: Usage) throws -> Data {
        let choices = choices.enumerated().map { index, choice in
            ChatCompletion.Choice(
                index: index, message: .init(content: choice.text),
                logprobs: reportsLogProbabilities ? ChatLogProbabilities(choice.tokens, codec: codec) : nil,
                finishReason: choice.finishReason?.rawValue)
        }
        return try ResponseJSON.data(
            ChatCompletion(
                id: identity.id, created: identity.created, model: identity.model, choices: choices, usage: usage))
    }

    private func logProbabilities(_ delta: ChoiceDelta) -> ChatLogProbabilities? {
        guard reportsLogProbabilities, !delta.tokens.isEmpty else { return nil }
        return ChatLogProbabilities(delta.tokens, codec: codec)
    }

    private func chunk(_ choices: [ChatCompletionChunk.Choice], _ usage: Usage? = nil) throws -> ByteBuffer {
        try ResponseJSON.event(
            ChatCompletionChunk(
                id: identity.id, created: identity.created, model: identity.model, choices: choices, usage: usage))
    }
}

struct TextFormat: CompletionFormat {
    let identity: AnswerIdentity
    let reportsLogProbabilities: Bool
    let codec: any TextCodec

    func opening(choice: Int) throws -> ByteBuffer? { nil }

    func event(choice: Int, _ delta: ChoiceDelta) throws -> ByteBuffer {
        try ResponseJSON.event(
            object(
                [self.choice(choice, delta, logProbabilities: reportsLogProbabilities && !delta.tokens.isEmpty)], nil))
    }

    func event(_ usage: Usage) throws -> ByteBuffer { try ResponseJSON.event(object([], usage)) }

    func body(_ choices: [ChoiceDelta], _ usage: Usage) throws -> Data {
        let choices = choices.enumerated().map { index, delta in
            choice(index, delta, logProbabilities: reportsLogProbabilities)
        }
        return try ResponseJSON.data(object(choices, usage))
    }

    private func choice(_ index: Int, _ delta: ChoiceDelta, logProbabilities: Bool) -> TextCompletion.Choice {
        .init(
            index: index, text: delta.text,
            logprobs: logProbabilities ? CompletionLogProbabilities(delta.tokens, codec: codec) : nil,
            finishReason: delta.finishReason?.rawValue)
    }

    private func object(_ choices: [TextCompletion.Choice], _ usage: Usage?) -> TextCompletion {
        TextCompletion(
            id: identity.id, created: identity.created, model: identity.model, choices: choices, usage: usage)
    }
}
