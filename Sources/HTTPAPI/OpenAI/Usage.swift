/// Tokens that a request cost.
struct Usage: Encodable, Sendable, Equatable {
    /// Of all prompts, each counted once, however many choices it has.
    var promptTokens: Int
    /// Generated over all choices, tokens that end a generation or are cut off with a stop string included.
    var completionTokens: Int
    /// Those of the prompts that were not computed, as the KV of earlier requests was at hand.
    var cachedTokens = 0

    private enum CodingKeys: String, CodingKey {
        case promptTokens = "prompt_tokens"
        case completionTokens = "completion_tokens"
        case totalTokens = "total_tokens"
        case promptTokensDetails = "prompt_tokens_details"
    }

    private enum DetailKeys: String, CodingKey {
        case cachedTokens = "cached_tokens"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(promptTokens, forKey: .promptTokens)
        try container.encode(completionTokens, forKey: .completionTokens)
        try container.encode(promptTokens + completionTokens, forKey: .totalTokens)
        var details = container.nestedContainer(keyedBy: DetailKeys.self, forKey: .promptTokensDetails)
        try details.encode(cachedTokens, forKey: .cachedTokens)
    }
}
