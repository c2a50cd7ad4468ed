/// How the last stage turns logits into a token. The defaults leave the model's distribution as it is.
public struct SamplingParameters: Codable, Equatable, Sendable {
    /// 0 is exact argmax, the lowest id on ties; otherwise logits are divided by it. 0...100.
    public var temperature: Float
    /// Keep only the `topK` most likely tokens; 0 keeps all.
    public var topK: Int
    /// Keep the smallest set of most likely tokens whose probability reaches this; 1 keeps all. (0, 1].
    public var topP: Float
    /// Drop tokens less likely than this share of the most likely one; 0 keeps all. [0, 1].
    public var minP: Float
    /// Divides positive and multiplies negative logits of tokens seen in prompt or output; 1 is off. Over 0.
    public var repetitionPenalty: Float
    /// Subtracted from a token's logit once for each time it stands in the output.
    public var frequencyPenalty: Float
    /// Subtracted from a token's logit if it stands in the output at all.
    public var presencePenalty: Float
    /// Added to the logits of single tokens, in ascending order of token.
    public var logitBias: [LogitBias]
    /// Key of the counter-based generator; with the position it decides the draw.
    public var seed: UInt64
    /// Nil: no log-probabilities are reported. Otherwise that of the chosen token and of this many best ones, 0...20.
    public var topLogProbabilityCount: Int?

    public init(
        temperature: Float = 1, topK: Int = 0, topP: Float = 1, minP: Float = 0, repetitionPenalty: Float = 1,
        frequencyPenalty: Float = 0, presencePenalty: Float = 0, logitBias: [LogitBias] = [], seed: UInt64 = 0,
        topLogProbabilityCount: Int? = nil
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.minP = minP
        self.repetitionPenalty = repetitionPenalty
        self.frequencyPenalty = frequencyPenalty
        self.presencePenalty = presencePenalty
        self.logitBias = logitBias
        self.seed = seed
        self.topLogProbabilityCount = topLogProbabilityCount
    }
}

/// A value added to one token's logit before sampling.
public struct LogitBias: Codable, Equatable, Sendable {
    public var token: Int32
    public var bias: Float

    public init(token: Int32, bias: Float) {
        self.token = token
        self.bias = bias
    }
}
