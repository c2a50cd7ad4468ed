import Transport

/// A sequence that has been admitted: what is known of it, what was sent, what came back.
struct RunningSequence: Sendable {
    /// Who asked for it; nil for the probe.
    let ticket: Ticket?
    let id: SequenceID
    let work: Work
    let blockCount: Int
    /// Tokens that have gone into steps; the next slice starts at this position.
    var sentTokenCount = 0
    /// Tokens sampled so far.
    var generatedTokenCount = 0
    /// A sampled token that has not gone into a step.
    var unsentToken: Int32?
    /// Whether it has sampled its first token and goes on by one token a step.
    var isDecoding = false
    /// The number of the last step with a slice of it, for fairness; 0 before the first.
    var lastStepNumber: UInt64 = 0
    var score: ScoreAssembly?

    init(ticket: Ticket?, id: SequenceID, work: Work, blockCount: Int) {
        self.ticket = ticket
        self.id = id
        self.work = work
        self.blockCount = blockCount
        if case .scoring(let request) = work { score = ScoreAssembly(tokenCount: request.tokens.count) }
    }

    /// Tokens of the prompt or text that have not gone into a step.
    var unsentKnownTokenCount: Int { max(0, work.knownTokens.count - sentTokenCount) }

    /// The next slice of the prompt or text, of at most `rowLimit` rows; nil if all is sent. A chunk of a text to
    /// score is never cut: nil, too, if it does not fit.
    func nextKnownSlice(rowLimit: Int, maximumStepRowCount: Int) -> SequenceSlice? {
        let tokens = work.knownTokens
        guard rowLimit > 0, sentTokenCount < tokens.count else { return nil }
        switch work {
        case .generation(let request):
            let end = min(tokens.count, sentTokenCount + rowLimit)
            return SequenceSlice(
                sequence: id, startPosition: sentTokenCount, tokens: Array(tokens[sentTokenCount..<end]),
                output: end == tokens.count ? .sample(request.sampling, promptLength: tokens.count) : .none)
        case .scoring(let request):
            let rowCount = min(
                request.chunk, maximumStepRowCount, request.maximumChunk, tokens.count - sentTokenCount)
            guard rowCount <= rowLimit else { return nil }
            let end = sentTokenCount + rowCount
            let targets = Array(tokens[(sentTokenCount + 1)..<min(end + 1, tokens.count)])
            return SequenceSlice(
                sequence: id, startPosition: sentTokenCount, tokens: Array(tokens[sentTokenCount..<end]),
                output: .score(targets: targets, topCount: request.topCount))
        }
    }

    /// The slice for the token sampled last; nil if that has been sent.
    var decodeSlice: SequenceSlice? {
        guard let unsentToken, case .generation(let request) = work else { return nil }
        return SequenceSlice(
            sequence: id, startPosition: sentTokenCount, tokens: [unsentToken],
            output: .sample(request.sampling, promptLength: request.promptTokens.count))
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
