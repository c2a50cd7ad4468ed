/// One pass of a batch of sequence slices through the stages, made by the coordinator, passed on from stage to stage.
///
/// Between stages the hidden states of all rows, `[rowCount × hiddenSize]` float32 in the order of the slices, ride as
/// one raw frame behind it.
public struct Step: Equatable, Sendable {
    public var id: StepID
    /// The slices to compute, each of a different sequence.
    public var slices: [SequenceSlice]
    /// Sequences whose KV is given back before the slices are computed.
    public var released: [SequenceID]

    public init(id: StepID, slices: [SequenceSlice], released: [SequenceID] = []) {
        self.id = id
        self.slices = slices
        self.released = released
    }

    /// The number of tokens, and so of rows of hidden states, over all slices.
    public var rowCount: Int { slices.reduce(0) { $0 + $1.tokens.count } }
}

/// Consecutive tokens of one sequence, and what is wanted of them.
public struct SequenceSlice: Equatable, Sendable {
    public var sequence: SequenceID
    /// Position of the first token, 0 at the start of the prompt. A slice continues where the last one ended.
    public var startPosition: Int
    public var tokens: [Int32]
    public var output: SliceOutput
    /// Whether stages first forget what they hold of the sequence from `startPosition` on: another request goes on from
    /// there. Only such a slice may begin before the end of what is held, so that a repeated or lost one is noticed.
    public var rewinds: Bool

    public init(
        sequence: SequenceID, startPosition: Int, tokens: [Int32], output: SliceOutput, rewinds: Bool = false
    ) {
        self.sequence = sequence
        self.startPosition = startPosition
        self.tokens = tokens
        self.output = output
        self.rewinds = rewinds
    }
}

/// What the last stage makes of a slice.
public enum SliceOutput: Equatable, Sendable {
    /// Only fill the KV cache: a part of a prompt that goes on.
    case none
    /// Sample the token that follows the slice's last one. Tokens before `promptLength` count as prompt for penalties.
    case sample(SamplingParameters, promptLength: Int)
    /// Teacher forcing. `targets[i]` is the token that follows `tokens[i]`; the last row of a text has none, so
    /// `targets` may be one shorter than `tokens`. Every row reports its `topCount` best tokens, and the digest of
    /// all logits of the sequence so far goes with the result.
    case score(targets: [Int32], topCount: Int)
}

/// What the last stage reports to the coordinator for one step.
public struct StepResult: Equatable, Sendable {
    public var id: StepID
    /// One for each slice of the step, in its order.
    public var slices: [SliceResult]

    public init(id: StepID, slices: [SliceResult]) {
        self.id = id
        self.slices = slices
    }
}

/// The last stage's answer for one slice.
public struct SliceResult: Equatable, Sendable {
    public var sequence: SequenceID
    public var output: Output

    public enum Output: Equatable, Sendable {
        case none
        case sampled(TokenChoice)
        case scored(SliceScore)
    }

    public init(sequence: SequenceID, output: Output) {
        self.sequence = sequence
        self.output = output
    }
}

/// A sampled token and, if they were asked for, log-probabilities.
public struct TokenChoice: Codable, Equatable, Sendable {
    public var token: Int32
    /// Natural logarithm of the token's probability under the model's own distribution (before temperature, truncation,
    /// penalties and biases); nil unless asked for.
    public var logProbability: Float?
    /// The most likely tokens, best first, the lower id first on ties; empty unless asked for.
    public var top: [TokenLogProbability]

    public init(token: Int32, logProbability: Float? = nil, top: [TokenLogProbability] = []) {
        self.token = token
        self.logProbability = logProbability
        self.top = top
    }
}

/// A token and the natural logarithm of its probability.
public struct TokenLogProbability: Codable, Equatable, Sendable {
    public var token: Int32
    public var logProbability: Float

    public init(token: Int32, logProbability: Float) {
        self.token = token
        self.logProbability = logProbability
    }
}

/// Teacher-forced figures of one slice.
public struct SliceScore: Equatable, Sendable {
    /// Log-probability of each target, `[targets.count]`.
    public var targetLogProbabilities: [Float]
    /// The best tokens of each row, `[tokens.count][topCount]`.
    public var top: [[TokenLogProbability]]
    /// SHA-256 over the float32 bits of all logits of the sequence up to here, position by position; 32 bytes.
    public var logitsDigest: [UInt8]

    public init(targetLogProbabilities: [Float], top: [[TokenLogProbability]], logitsDigest: [UInt8]) {
        self.targetLogProbabilities = targetLogProbabilities
        self.top = top
        self.logitsDigest = logitsDigest
    }
}
