import Transport

/// What the shell calls a submitted request by. Never reused.
public struct Ticket: Hashable, Comparable, Sendable {
    public let number: UInt64
    public init(_ number: UInt64) { self.number = number }
    public static func < (left: Ticket, right: Ticket) -> Bool { left.number < right.number }
}

/// A text whose tokens are given and whose probabilities are wanted.
public struct ScoringRequest: Sendable, Equatable {
    /// At least one.
    public var tokens: [Int32]
    /// How many best tokens to report at each position, 0...128.
    public var topCount: Int
    /// Tokens per step, at least 1; a step's row limit and the size of its result cap it.
    public var chunk: Int

    public init(tokens: [Int32], topCount: Int, chunk: Int) {
        self.tokens = tokens
        self.topCount = topCount
        self.chunk = chunk
    }
}

extension ScoringRequest {
    /// Best tokens in one step's result, so that it stays well below what a message may hold.
    private static let resultEntryLimit = 128 << 10

    var maximumChunk: Int { max(1, Self.resultEntryLimit / (topCount + 1)) }
}

/// What a request wants.
public enum Work: Sendable, Equatable {
    case generation(GenerationRequest)
    case scoring(ScoringRequest)

    /// The tokens that are known from the start.
    var knownTokens: [Int32] {
        switch self {
        case .generation(let request): request.promptTokens
        case .scoring(let request): request.tokens
        }
    }

    /// Upper bound on the tokens that come to be known on the way.
    var maximumNewTokenCount: Int {
        switch self {
        case .generation(let request): request.maximumTokenCount
        case .scoring: 0
        }
    }
}

extension Work {
    /// Whether the tokens that are known, and those that can come to be, are no more than that.
    func fits(contextLength: Int) -> Bool {
        knownTokens.count <= contextLength && maximumNewTokenCount <= contextLength - knownTokens.count
    }

    /// What makes the request impossible, whatever the cluster does; nil if nothing does.
    func problem(contextLength: Int, vocabularySize: Int) -> GenerationError? {
        let tokens = knownTokens
        if tokens.isEmpty { return .invalidRequest("the prompt has no tokens; give at least one") }
        if let position = tokens.firstIndex(where: { $0 < 0 || Int($0) >= vocabularySize }) {
            return .invalidRequest(
                "token \(tokens[position]) at position \(position) is not in the vocabulary; "
                    + "ids go from 0 to \(vocabularySize - 1)")
        }
        let problem: String?
        switch self {
        case .generation(let request):
            problem =
                request.maximumTokenCount < 1
                ? "max_tokens is \(request.maximumTokenCount); give at least 1"
                : request.sampling.problem(vocabularySize: vocabularySize)
        case .scoring(let request):
            if !(0...128).contains(request.topCount) {
                problem = "\(request.topCount) best tokens are wanted at each position; give 0 to 128"
            } else {
                problem = request.chunk < 1 ? "the chunk is \(request.chunk) tokens; give at least 1" : nil
            }
        }
        if let problem { return .invalidRequest(problem) }
        guard fits(contextLength: contextLength) else {
            return .contextExceeded(
                promptTokenCount: tokens.count, maximumTokenCount: maximumNewTokenCount, contextLength: contextLength)
        }
        return nil
    }
}

extension SamplingParameters {
    /// The first value out of its range; nil if all are in theirs.
    func problem(vocabularySize: Int) -> String? {
        if !(0...100).contains(temperature) { return "temperature is \(temperature); give 0 to 100" }
        if topK < 0 { return "top_k is \(topK); give 0 (all) or more" }
        if !(topP > 0 && topP <= 1) { return "top_p is \(topP); give more than 0 and at most 1" }
        if !(0...1).contains(minP) { return "min_p is \(minP); give 0 to 1" }
        if !(repetitionPenalty > 0 && repetitionPenalty.isFinite) {
            return "repetition_penalty is \(repetitionPenalty); give more than 0"
        }
        if !frequencyPenalty.isFinite { return "frequency_penalty is \(frequencyPenalty); give a finite number" }
        if !presencePenalty.isFinite { return "presence_penalty is \(presencePenalty); give a finite number" }
        if let count = topLogProbabilityCount, !(0...20).contains(count) {
            return "top_logprobs is \(count); give 0 to 20"
        }
        return logitBiasProblem(vocabularySize: vocabularySize)
    }

    private func logitBiasProblem(vocabularySize: Int) -> String? {
        if logitBias.count > 1024 { return "logit_bias has \(logitBias.count) entries; give at most 1024" }
        var last: Int32 = -1
        for entry in logitBias {
            if entry.token <= last { return "logit_bias is not in ascending order of token at \(entry.token)" }
            if Int(entry.token) >= vocabularySize {
                return "logit_bias names token \(entry.token), outside the vocabulary of \(vocabularySize)"
            }
            if !entry.bias.isFinite { return "logit_bias of token \(entry.token) is not a finite number" }
            last = entry.token
        }
        return nil
    }
}
