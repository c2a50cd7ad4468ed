/// The answer to a chat request that is not streamed.
struct ChatCompletion: Encodable, Sendable {
    struct Choice: Encodable, Sendable {
        var index: Int
        var message: Message
        @Nullable var logprobs: ChatLogProbabilities?
        @Nullable var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, message, logprobs
            case finishReason = "finish_reason"
        }
    }

    struct Message: Encodable, Sendable {
        var role = "assistant"
        var content: String
        @Nullable var refusal: String? = nil
    }

    var id: String
    var object = "chat.completion"
    /// Seconds since 1970.
    var created: Int
    var model: String
    var choices: [Choice]
    var usage: Usage
}

/// One event of a streamed chat answer.
struct ChatCompletionChunk: Encodable, Sendable {
    struct Choice: Encodable, Sendable {
        var index: Int
        var delta: Delta
        @Nullable var logprobs: ChatLogProbabilities?
        @Nullable var finishReason: String?

        private enum CodingKeys: String, CodingKey {
            case index, delta, logprobs
            case finishReason = "finish_reason"
        }
    }

    /// What is new; the role stands in a choice's first event only.
    struct Delta: Encodable, Sendable {
        var role: String?
        var content: String?
    }

    var id: String
    var object = "chat.completion.chunk"
    var created: Int
    var model: String
    /// Empty in the event that carries the usage.
    var choices: [Choice]
    var usage: Usage?
}

/// Log-probabilities in the chat format.
struct ChatLogProbabilities: Encodable, Sendable {
    struct Entry: Encodable, Sendable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]
        var topLogprobs: [Alternative]

        private enum CodingKeys: String, CodingKey {
            case token, logprob, bytes
            case topLogprobs = "top_logprobs"
        }
    }

    struct Alternative: Encodable, Sendable {
        var token: String
        var logprob: Float
        var bytes: [UInt8]
    }

    var content: [Entry]

    init(_ tokens: [ReportedToken], codec: any TextCodec) {
        content = tokens.map { reported in
            let bytes = codec.piece(of: reported.choice.token)
            return Entry(
                token: String(decoding: bytes, as: UTF8.self),
                logprob: (reported.choice.logProbability ?? 0).jsonLogProbability, bytes: bytes,
                topLogprobs: reported.choice.top.map { alternative in
                    let bytes = codec.piece(of: alternative.token)
                    return Alternative(
                        token: String(decoding: bytes, as: UTF8.self),
                        logprob: alternative.logProbability.jsonLogProbability, bytes: bytes)
                })
        }
    }
}
