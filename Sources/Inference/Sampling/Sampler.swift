import Kernels
import Transport

/// Turns logits into a token: penalties and biases, then temperature, then top-k, top-p and min-p, then one draw keyed
/// by seed and position. Temperature 0 takes the largest adjusted logit, the lowest id on ties.
struct Sampler: ~Copyable {
    private let vocabularySize: Int
    private var weights: Tensor  // [1 × vocabulary]
    private var histories: [SequenceID: TokenHistory] = [:]

    /// Below it the weights of all but the best token are 0 anyway, and 1 / temperature would overflow.
    private static let leastTemperature: Float = 1e-6

    init(vocabularySize: Int) throws(KernelError) {
        self.vocabularySize = vocabularySize
        weights = try Tensor(rows: 1, columns: (vocabularySize + 15) / 16 * 16)
    }

    /// Remembers the tokens of a slice for penalties of later ones.
    mutating func record(_ slice: SequenceSlice, promptLength: Int?) {
        histories[slice.sequence, default: TokenHistory()].append(slice.tokens, at: slice.startPosition)
    }

    mutating func forget(_ sequence: SequenceID) { histories.removeValue(forKey: sequence) }

    /// The token that follows the slice. Adjusts the row of logits in place.
    mutating func choose(
        _ logits: inout Tensor, row: Int, slice: SequenceSlice, parameters: SamplingParameters, promptLength: Int,
        compute: borrowing Compute
    ) throws(InferenceError) -> TokenChoice {
        try logits.checkFinite(row: row, count: vocabularySize)
        var choice = TokenChoice(token: 0)
        var report: (summary: LogitSummary, logits: [Int32: Float])?
        if let count = parameters.topLogProbabilityCount {
            let summary = compute.summarise(logits, row: row, count: vocabularySize)
            choice.top = top(count, logits, row: row, summary: summary, compute: compute)
            report = (summary, [:])
        }
        let original = try adjust(&logits, row: row, slice: slice, parameters: parameters, promptLength: promptLength)
        let summary = compute.summarise(logits, row: row, count: vocabularySize)
        choice.token =
            parameters.temperature < Self.leastTemperature
            ? summary.best
            : draw(
                logits, row: row, maximum: summary.maximum, parameters: parameters,
                position: slice.startPosition + slice.tokens.count, compute: compute)
        if let report {
            let logit = original[choice.token] ?? logits[row, Int(choice.token)]
            choice.logProbability = report.summary.logProbability(ofLogit: logit)
        }
        return choice
    }

    /// The `count` most likely tokens under the logits as they are.
    func top(
        _ count: Int, _ logits: borrowing Tensor, row: Int, summary: LogitSummary, compute: borrowing Compute
    ) -> [TokenLogProbability] {
        var result: [TokenLogProbability] = []
        for token in compute.topIndices(logits, row: row, count: vocabularySize, k: count) {
            let logProbability = summary.logProbability(ofLogit: logits[row, Int(token)])
            result.append(TokenLogProbability(token: token, logProbability: logProbability))
        }
        return result
    }

    /// Applies penalties, as Hugging Face (repetition) and OpenAI (frequency, presence) define them, and biases.
    /// Returns the logits that were changed, as they were.
    private func adjust(
        _ logits: inout Tensor, row: Int, slice: SequenceSlice, parameters: SamplingParameters, promptLength: Int
    ) throws(InferenceError) -> [Int32: Float] {
        var original: [Int32: Float] = [:]
        let penalises =
            parameters.repetitionPenalty != 1 || parameters.frequencyPenalty != 0 || parameters.presencePenalty != 0
        if penalises, let history = histories[slice.sequence] {
            for (token, outputCount) in history.counts(promptLength: promptLength) {
                var logit = logits[row, Int(token)]
                original[token] = logit
                logit = bounded(
                    logit > 0 ? logit / parameters.repetitionPenalty : logit * parameters.repetitionPenalty)
                if outputCount > 0 {
                    logit = bounded(logit - bounded(parameters.frequencyPenalty * Float(outputCount)))
                    logit = bounded(logit - bounded(parameters.presencePenalty))
                }
                logits[row, Int(token)] = logit
            }
        }
        for bias in parameters.logitBias {
            guard (0..<Int32(vocabularySize)).contains(bias.token) else {
                throw .validation("logit_bias of token \(bias.token): the vocabulary has ids 0–\(vocabularySize - 1)")
            }
            let logit = logits[row, Int(bias.token)]
            if original[bias.token] == nil { original[bias.token] = logit }
            logits[row, Int(bias.token)] = bounded(logit + bounded(bias.bias))
        }
        return original
    }

    /// Penalties and biases may be any finite number; what they make of a logit stays far from infinity, and from what
    /// infinities make of each other.
    private func bounded(_ value: Float) -> Float { max(-1e30, min(1e30, value)) }

    private mutating func draw(
        _ logits: borrowing Tensor, row: Int, maximum: Float, parameters: SamplingParameters, position: Int,
        compute: borrowing Compute
    ) -> Int32 {
        let uniform = CounterBasedGenerator(seed: parameters.seed).uniform(at: UInt64(position))
        // Weights are probabilities times a constant; the most likely token has 1.
        compute.weigh(
            logits, row: row, count: vocabularySize, maximum: maximum, scale: 1 / parameters.temperature, into: &weights
        )
        if parameters.topK == 0 && parameters.topP >= 1 && parameters.minP <= 0 {
            let sum = weights.weightSum(row: 0, count: vocabularySize)
            return weights.pick(row: 0, count: vocabularySize, target: uniform * sum)
        }
        let kept = candidates(logits, row: row, parameters: parameters, compute: compute)
        let sum = kept.reduce(0) { $0 + $1.weight }
        var running = 0.0
        for candidate in kept {
            running += candidate.weight
            if running > uniform * sum { return candidate.token }
        }
        return kept[kept.count - 1].token
    }

    /// The tokens that top-k, then top-p, then min-p leave, most likely first, with their weights. Never empty.
    private func candidates(
        _ logits: borrowing Tensor, row: Int, parameters: SamplingParameters, compute: borrowing Compute
    ) -> [(token: Int32, weight: Double)] {
        let limit = parameters.topK > 0 ? min(parameters.topK, vocabularySize) : vocabularySize
        // Without top-k the most likely tokens are sorted in growing portions until the rest is cut off anyway.
        var portion = parameters.topK > 0 ? limit : min(64, limit)
        while true {
            let tokens = compute.topIndices(logits, row: row, count: vocabularySize, k: portion)
            var sorted: [(token: Int32, weight: Double)] = []
            for token in tokens { sorted.append((token, Double(weights[0, Int(token)]))) }
            let total =
                parameters.topK > 0
                ? sorted.reduce(0) { $0 + $1.weight } : weights.weightSum(row: 0, count: vocabularySize)
            var mass = 0.0
            for (index, candidate) in sorted.enumerated() {
                let isLeft =
                    index > 0 && (mass >= Double(parameters.topP) * total || candidate.weight < Double(parameters.minP))
                if isLeft { return Array(sorted[..<index]) }
                mass += candidate.weight
            }
            if portion == limit { return sorted }
            portion = min(portion * 8, limit)
        }
    }
}
