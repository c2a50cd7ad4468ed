import Foundation
import Transport

/// One turn of a conversation.
public struct ChatMessage: Codable, Sendable, Equatable {
    /// `system`, `user` or `assistant`.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// How to generate; nil leaves it to the server.
public struct ChatOptions: Sendable, Equatable {
    public var temperature: Double?
    public var topP: Double?
    public var topK: Int?
    public var minP: Double?
    public var repetitionPenalty: Double?
    public var maximumTokenCount: Int?
    public var seed: UInt64?
    public var stop: [String]?

    public init() {}
}

/// What a chat stream reports.
public enum ChatEvent: Sendable, Equatable {
    case text(String)
    case finished(ChatSummary)
}

/// How a chat answer ended.
public struct ChatSummary: Sendable, Equatable {
    /// `stop` or `length`.
    public var finishReason: String
    public var promptTokenCount: Int
    public var completionTokenCount: Int
}

/// What to score.
public enum ScoreInput: Sendable, Equatable {
    case text(String)
    case tokens([Int32])
}

/// Teacher-forced figures of a text, with the field names of the reference outputs.
public struct ScoreAnswer: Codable, Sendable, Equatable {
    public var ids: [Int32]
    /// `[ids.count − 1]`
    public var nextLogProbabilities: [Float]
    /// `[ids.count][top]`
    public var topTokens: [[Int32]]
    public var topLogProbabilities: [[Float]]
    /// Nil for a text of one token.
    public var perplexity: Double?
    /// In hexadecimal, over the float32 bits of all logits, position by position.
    public var logitsSHA256: String

    /// The answer for figures that were computed without asking a cluster.
    ///
    /// Infinite log-probabilities become −9999, as in a coordinator's answers: JSON has no infinity.
    public init(
        ids: [Int32], nextLogProbabilities: [Float], topTokens: [[Int32]], topLogProbabilities: [[Float]],
        logitsDigest: [UInt8]
    ) {
        self.ids = ids
        self.nextLogProbabilities = nextLogProbabilities.map(Self.finite)
        self.topTokens = topTokens
        self.topLogProbabilities = topLogProbabilities.map { $0.map(Self.finite) }
        let sum = nextLogProbabilities.reduce(0) { $0 + Double($1) }
        let perplexity = exp(-sum / Double(nextLogProbabilities.count))
        self.perplexity = perplexity.isFinite ? perplexity : nil
        logitsSHA256 = logitsDigest.hexadecimal
    }

    private static func finite(_ value: Float) -> Float { value.isFinite ? value : -9999 }

    private enum CodingKeys: String, CodingKey {
        case ids, perplexity
        case nextLogProbabilities = "next_logprob"
        case topTokens = "top_ids"
        case topLogProbabilities = "top_logprobs"
        case logitsSHA256 = "logits_sha256"
    }
}

struct ScoreRequest: Encodable {
    var ids: [Int32]?
    var text: String?
    var top: Int
    var chunk: Int

    init(_ input: ScoreInput, top: Int, chunk: Int) {
        switch input {
        case .text(let text): self.text = text
        case .tokens(let tokens): ids = tokens
        }
        self.top = top
        self.chunk = chunk
    }
}

struct ChatBody: Encodable {
    var messages: [ChatMessage]
    var stream = true
    var streamOptions = ["include_usage": true]
    var temperature: Double?
    var topP: Double?
    var topK: Int?
    var minP: Double?
    var repetitionPenalty: Double?
    var maxTokens: Int?
    var seed: UInt64?
    var stop: [String]?

    private enum CodingKeys: String, CodingKey {
        case messages, stream, temperature, seed, stop
        case streamOptions = "stream_options"
        case topP = "top_p"
        case topK = "top_k"
        case minP = "min_p"
        case repetitionPenalty = "repetition_penalty"
        case maxTokens = "max_tokens"
    }

    init(_ messages: [ChatMessage], _ options: ChatOptions) {
        self.messages = messages
        temperature = options.temperature
        topP = options.topP
        topK = options.topK
        minP = options.minP
        repetitionPenalty = options.repetitionPenalty
        maxTokens = options.maximumTokenCount
        seed = options.seed
        stop = options.stop
    }
}

struct MeasuringBegun: Decodable {
    var pendingCount: Int

    private enum CodingKeys: String, CodingKey {
        case pendingCount = "pending_count"
    }
}

struct ServedModels: Decodable {
    struct Model: Decodable {
        var id: String
    }

    var data: [Model]
}

struct ServerError: Decodable {
    struct Details: Decodable {
        var message: String
        var code: String?
    }

    var error: Details
}

/// The body of a completion of a fixed length.
struct GenerationBody: Encodable {
    var prompt: [Int32]
    var maximumTokenCount: Int
    var temperature = 0.0
    var ignoresEnd = true

    private enum CodingKeys: String, CodingKey {
        case prompt, temperature
        case maximumTokenCount = "max_tokens"
        case ignoresEnd = "ignore_eos"
    }
}

/// What of its answer counts.
struct GenerationAnswer: Decodable {
    struct Usage: Decodable {
        var completionTokenCount: Int

        private enum CodingKeys: String, CodingKey {
            case completionTokenCount = "completion_tokens"
        }
    }

    var usage: Usage
}
