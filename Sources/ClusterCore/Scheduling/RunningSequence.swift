import Transport

/// A request's sequence on the open pipeline: what was sent of it. A token that was sampled is sent like one of the prompt.
struct RunningSequence: Sendable {
    var request: RequestRecord
    let id: SequenceID
    let blockCount: Int
    /// Tokens that have gone into steps; the next slice starts at this position.
    var sentTokenCount = 0
    /// Whether it has sampled a token on this pipeline and goes on by one token a step.
    var isDecoding = false
    /// The number of the last step with a slice of it, for fairness; 0 before the first.
    var lastStepNumber: UInt64 = 0
    var score: ScoreAssembly?
    /// Tokens that it did not send, as stages had kept their KV.
    private(set) var reusedTokenCount = 0
    /// The sequence that it goes on from; nil if it began anew, or has sent its first slice.
    var takenOver: KeptSequence?

    init(_ request: RequestRecord, id: SequenceID, blockCount: Int) {
        self.request = request
        self.id = id
        self.blockCount = blockCount
        if case .scoring(let text) = request.work { score = ScoreAssembly(tokenCount: text.tokens.count) }
    }

    /// Goes on from a kept sequence, of which it has that many tokens in common.
    init(_ request: RequestRecord, takingOver kept: KeptSequence, reusedTokenCount: Int) {
        self.init(request, id: kept.id, blockCount: request.blockCount)
        takenOver = kept
        sentTokenCount = reusedTokenCount
        self.reusedTokenCount = reusedTokenCount
    }

    var ticket: Ticket? { request.ticket }
    /// Whether it has sent anything.
    var hasBegun: Bool { sentTokenCount > reusedTokenCount }

    /// What stages can keep of it when its request has ended; nil if nothing is to be kept.
    var remainder: KeptSequence? {
        // Stages have heard of no other request yet.
        if let takenOver { return takenOver }
        guard case .generation(let generation) = request.work, request.ticket != nil else { return nil }
        return KeptSequence(id: id, owner: generation.owner, tokens: Array(request.tokens[..<sentTokenCount]))
    }

    /// Tokens known but not yet sent of a sequence that does not decode: of its prompt or text, and of what it had
    /// sampled on pipelines before this one.
    var unsentKnownTokenCount: Int { isDecoding ? 0 : request.tokens.count - sentTokenCount }

    /// The next slice of what is known, of at most `rowLimit` rows; nil if all is sent. A chunk of a text to score is
    /// never cut: nil, too, if it does not fit.
    func nextKnownSlice(rowLimit: Int, maximumStepRowCount: Int) -> SequenceSlice? {
        guard rowLimit > 0, unsentKnownTokenCount > 0 else { return nil }
        switch request.work {
        case .generation(let generation):
            return slice(of: generation, rowCount: min(rowLimit, unsentKnownTokenCount))
        case .scoring(let text):
            let rowCount = min(text.chunk, maximumStepRowCount, text.maximumChunk, unsentKnownTokenCount)
            guard rowCount <= rowLimit else { return nil }
            let tokens = text.tokens
            let end = sentTokenCount + rowCount
            let targets = Array(tokens[(sentTokenCount + 1)..<min(end + 1, tokens.count)])
            return SequenceSlice(
                sequence: id, startPosition: sentTokenCount, tokens: Array(tokens[sentTokenCount..<end]),
                output: .score(targets: targets, topCount: text.topCount))
        }
    }

    /// Whether the token sampled last has not been sent.
    var hasDecodeSlice: Bool { isDecoding && sentTokenCount < request.tokens.count }

    /// The slice for the token sampled last; nil if that has been sent.
    var decodeSlice: SequenceSlice? {
        guard hasDecodeSlice, case .generation(let generation) = request.work else { return nil }
        return slice(of: generation, rowCount: 1)
    }

    /// Samples behind the last token that is known.
    private func slice(of generation: GenerationRequest, rowCount: Int) -> SequenceSlice {
        let end = sentTokenCount + rowCount
        return SequenceSlice(
            sequence: id, startPosition: sentTokenCount, tokens: Array(request.tokens[sentTokenCount..<end]),
            output: end == request.tokens.count
                ? .sample(generation.sampling, promptLength: generation.promptTokens.count) : .none,
            rewinds: takenOver != nil)
    }
}

/// Puts the figures of a text together from its slices, which come back in order.
struct ScoreAssembly: Sendable {
    private let tokenCount: Int
    private var nextLogProbabilities: [Float] = []
    private var top: [[TokenLogProbability]] = []
    private var logitsDigest: [UInt8] = []

    init(tokenCount: Int) { self.tokenCount = tokenCount }

    /// Takes the figures of the next slice; the whole text's when it was the last.
    mutating func append(_ slice: SliceScore) -> ScoredText? {
        nextLogProbabilities += slice.targetLogProbabilities
        top += slice.top
        logitsDigest = slice.logitsDigest
        guard top.count == tokenCount else { return nil }
        return ScoredText(nextLogProbabilities: nextLogProbabilities, top: top, logitsDigest: logitsDigest)
    }
}
