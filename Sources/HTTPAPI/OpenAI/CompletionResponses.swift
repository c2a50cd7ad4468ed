/// The answer to a plain completion request, and, with the same shape, one event of a streamed one.
struct TextCompletion: Encodable, Sendable {
    struct Choice: Encodable, Sendable {
        var index: Int
        var text: String
        @Nullable var logprobs: CompletionLogProbabilities?
        @Nullable var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, text, logprobs
            case finishReason = "finish_reason"
        }
    }

    var id: String
    var object = "text_completion"
    /// Seconds since 1970.
    var created: Int
    var model: String
    /// Empty in the event that carries the usage.
    var choices: [Choice]
    var usage: Usage?
}

/// Log-probabilities in the completions format: parallel arrays, one entry per token.
struct CompletionLogProbabilities: Encodable, Sendable {
    var tokens: [String]
    /// Null for the first token of an echoed prompt, which nothing predicts.
    var tokenLogprobs: [Float?]
    var topLogprobs: [[String: Float]?]
    /// Where each token's text begins in the choice's text, in Unicode code points.
    var textOffset: [Int]

    private enum CodingKeys: String, CodingKey {
        case tokens
        case tokenLogprobs = "token_logprobs"
        case topLogprobs = "top_logprobs"
        case textOffset = "text_offset"
    }

    init(_ reported: [ReportedToken], codec: any TextCodec) {
        tokens = reported.map { Self.name($0.choice.token, codec) }
        tokenLogprobs = reported.map { $0.choice.logProbability?.jsonLogProbability }
        topLogprobs = reported.map { token in
            guard token.choice.logProbability != nil else { return nil }
            let named = token.choice.top.map { (Self.name($0.token, codec), $0.logProbability.jsonLogProbability) }
            // Two tokens may have the same text; the more likely one comes first.
            return Dictionary(named, uniquingKeysWith: { first, _ in first })
        }
        textOffset = reported.map(\.textOffset)
    }

    /// The token's text, or its bytes spelled as `bytes:\xe2\x80` (as OpenAI does) if they are no text by themselves.
    private static func name(_ token: Int32, _ codec: any TextCodec) -> String {
        let bytes = codec.piece(of: token)
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        return "bytes:" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
