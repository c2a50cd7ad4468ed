import Transport

/// One sequence to generate, as the HTTP side hands it to the scheduler.
public struct GenerationRequest: Codable, Sendable, Equatable {
    /// The id that logs, errors and the response carry, such as `chatcmpl-…`.
    public var id: String
    /// At least one token.
    public var promptTokens: [Int32]
    /// Upper bound on generated tokens, at least 1. Prompt and output together must fit the context.
    public var maximumTokenCount: Int
    public var sampling: SamplingParameters
    /// Generation ends with `FinishReason.stop` when one of these is sampled; the token itself is still reported.
    public var stopTokens: [Int32]
    /// Who asks, where clients are told apart. What is kept of a request serves only requests of the same one: how fast an
    /// answer begins tells what was asked before.
    public var owner: String?

    public init(
        id: String, promptTokens: [Int32], maximumTokenCount: Int, sampling: SamplingParameters, stopTokens: [Int32],
        owner: String? = nil
    ) {
        self.id = id
        self.promptTokens = promptTokens
        self.maximumTokenCount = maximumTokenCount
        self.sampling = sampling
        self.stopTokens = stopTokens
        self.owner = owner
    }
}

/// A streamed answer that clients can go on reading after they have lost it.
public struct KeptStream: Codable, Sendable, Equatable {
    /// Such as `chatcmpl-…`; its requests' ids begin with it.
    public var id: String
    /// What the HTTP side needs to write the answer again; nobody else looks into it.
    public var description: String

    public init(id: String, description: String) {
        self.id = id
        self.description = description
    }
}

/// What a running generation reports, in order: perhaps `reused`, tokens, then one `finished`.
public enum GenerationEvent: Sendable, Equatable {
    /// So many tokens of the prompt were not computed, as those of an earlier request were at hand.
    case reused(tokenCount: Int)
    case token(TokenChoice)
    case finished(FinishReason)
}

/// Why a generation ended by itself.
public enum FinishReason: String, Codable, Sendable, Equatable {
    /// A stop token or stop string.
    case stop
    /// The token limit.
    case length
}

/// Why a generation could not start or go on.
public enum GenerationError: Error, Equatable, Sendable {
    /// The queue is full; trying again after `retryAfterSeconds` can help.
    case queueFull(limit: Int, retryAfterSeconds: Int)
    /// Prompt and wanted output do not fit the context.
    case contextExceeded(promptTokenCount: Int, maximumTokenCount: Int, contextLength: Int)
    /// A token id outside the vocabulary, or a request without tokens; the text says which.
    case invalidRequest(String)
    /// The cluster cannot serve now: the reason, such as `waiting for 2 of 3 workers`.
    case unavailable(String)
    /// The cluster is ending.
    case shuttingDown
    /// A worker failed on the request in a way that trying again cannot mend.
    case workerFailed(node: String, reason: String)
    /// The request was begun anew after each loss, and lost as often as it may be; what it was lost to last.
    case lostTooOften(count: Int, reason: String)

    /// Whether the same request may succeed later.
    public var isRetryable: Bool {
        switch self {
        case .queueFull, .unavailable, .shuttingDown: true
        case .contextExceeded, .invalidRequest, .workerFailed, .lostTooOften: false
        }
    }
}

extension GenerationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .queueFull(let limit, let retryAfterSeconds):
            "the queue is full (\(limit) requests waiting); try again in \(retryAfterSeconds) s"
        case .contextExceeded(let promptTokenCount, let maximumTokenCount, let contextLength):
            "the prompt has \(promptTokenCount) tokens and up to \(maximumTokenCount) are to be generated, but the "
                + "context holds \(contextLength); shorten the prompt or lower max_tokens"
        case .invalidRequest(let problem): problem
        case .unavailable(let reason): "the cluster is not ready: \(reason)"
        case .shuttingDown: "the cluster is shutting down; try again later"
        case .workerFailed(let node, let reason): "worker \(node) failed: \(reason)"
        case .lostTooOften(let count, let reason):
            "the request was lost \(count) times and is not begun anew once more, as it may itself be what breaks the "
                + "workers; see their logs. The last time: \(reason)"
        }
    }
}

/// Teacher-forced figures of a whole text.
public struct ScoredText: Sendable, Equatable {
    /// Log-probability of token `i + 1` given those before, `[tokens.count − 1]`.
    public var nextLogProbabilities: [Float]
    /// Best tokens at each position, `[tokens.count][topCount]`.
    public var top: [[TokenLogProbability]]
    /// SHA-256 over the float32 bits of all logits, position by position.
    public var logitsDigest: [UInt8]

    public init(nextLogProbabilities: [Float], top: [[TokenLogProbability]], logitsDigest: [UInt8]) {
        self.nextLogProbabilities = nextLogProbabilities
        self.top = top
        self.logitsDigest = logitsDigest
    }
}
