/// Tokens that a request cost.
struct Usage: Encodable, Sendable, Equatable {
    /// Of all prompts, each counted once, however many choices it has.
    var promptTokens: Int
    /// Generated over all choices, tokens that end a generation or are cut off with a stop string included.
    var completionTokens: Int

    private enum CodingKeys: String, CodingKey {
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case totalTokens = "total_tokens"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(promptTokens, forKey: .promptTokens)
        try container.encode(completionTokens, forKey: .completionTokens)
        try container.encode(promptTokens + completionTokens, forKey: .totalTokens)
    }
}
