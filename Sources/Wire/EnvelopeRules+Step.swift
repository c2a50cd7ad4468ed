import Transport

extension EnvelopeRules {
    func check(_ step: Step) throws(WireError) {
        try count(step.slices.count, "step.slices", limit: limits.maximumSliceCount)
        try count(step.released.count, "step.released", limit: limits.maximumReleasedCount)
        var tokenCount = 0
        var sequences: Set<SequenceID> = []
        for (index, slice) in step.slices.enumerated() {
            let place = "step.slices[\(index)]"
            guard sequences.insert(slice.sequence).inserted else {
                throw .invalid(
                    field: "\(place).sequence", problem: "sequence \(slice.sequence.number) has a slice already")
            }
            tokenCount += slice.tokens.count
            try count(tokenCount, "step.slices[].tokens", limit: limits.maximumStepTokenCount)
            try check(slice, place)
        }
    }

    func check(_ result: StepResult) throws(WireError) {
        try count(result.slices.count, "stepResult.slices", limit: limits.maximumSliceCount)
        for (index, slice) in result.slices.enumerated() {
            switch slice.output {
            case .none: break
            case .sampled(let choice): try check(choice, "stepResult.slices[\(index)].sampled")
            case .scored(let score): try check(score, "stepResult.slices[\(index)].scored")
            }
        }
    }

    private func check(_ slice: SequenceSlice, _ place: String) throws(WireError) {
        guard !slice.tokens.isEmpty else { throw .invalid(field: "\(place).tokens", problem: "is empty") }
        try tokens(slice.tokens, "\(place).tokens")
        try range(slice.startPosition, "\(place).startPosition", 0...limits.maximumContextLength)
        if slice.rewinds {
            guard slice.startPosition > 0 else {
                throw .invalid(field: "\(place).rewinds", problem: "is set at position 0, where nothing is kept")
            }
            if case .score = slice.output {
                throw .invalid(field: "\(place).rewinds", problem: "is set for a text to score")
            }
        }
        switch slice.output {
        case .none: break
        case .sample(let parameters, let promptLength):
            try range(promptLength, "\(place).promptLength", 0...limits.maximumContextLength)
            try check(parameters, "\(place).sample")
        case .score(let targets, let topCount):
            try range(targets.count, "\(place).targets.count", slice.tokens.count - 1...slice.tokens.count)
            try tokens(targets, "\(place).targets")
            try range(topCount, "\(place).topCount", 0...limits.maximumScoreTopCount)
        }
    }

    private func check(_ parameters: SamplingParameters, _ place: String) throws(WireError) {
        // A range contains no NaN, so each of these refuses it, too.
        let finite = -Float.greatestFiniteMagnitude...Float.greatestFiniteMagnitude
        let positive = Float.leastNonzeroMagnitude...Float.greatestFiniteMagnitude
        try range(parameters.temperature, "\(place).temperature", 0...100)
        try range(parameters.topK, "\(place).topK", 0...Int(Int32.max))
        try range(parameters.topP, "\(place).topP", Float.leastNonzeroMagnitude...1)
        try range(parameters.minP, "\(place).minP", 0...1)
        try range(parameters.repetitionPenalty, "\(place).repetitionPenalty", positive)
        try range(parameters.frequencyPenalty, "\(place).frequencyPenalty", finite)
        try range(parameters.presencePenalty, "\(place).presencePenalty", finite)
        try count(parameters.logitBias.count, "\(place).logitBias", limit: limits.maximumLogitBiasCount)
        var last: Int32 = -1
        for bias in parameters.logitBias {
            guard bias.token > last else {
                throw .invalid(field: "\(place).logitBias", problem: "tokens are not in ascending order from 0")
            }
            last = bias.token
            try range(bias.bias, "\(place).logitBias", finite)
        }
        if let count = parameters.topLogProbabilityCount {
            try range(count, "\(place).topLogProbabilityCount", 0...limits.maximumTopLogProbabilityCount)
        }
    }

    private func check(_ choice: TokenChoice, _ place: String) throws(WireError) {
        try token(choice.token, "\(place).token")
        if let logProbability = choice.logProbability {
            try self.logProbability(logProbability, "\(place).logProbability")
        }
        try count(choice.top.count, "\(place).top", limit: limits.maximumTopLogProbabilityCount)
        for entry in choice.top { try check(entry, "\(place).top") }
    }

    private func check(_ score: SliceScore, _ place: String) throws(WireError) {
        let rowLimit = limits.maximumStepTokenCount
        try count(score.targetLogProbabilities.count, "\(place).targetLogProbabilities", limit: rowLimit)
        for value in score.targetLogProbabilities { try logProbability(value, "\(place).targetLogProbabilities") }
        try count(score.top.count, "\(place).top", limit: rowLimit)
        let topCount = score.top.first?.count ?? 0
        try count(topCount, "\(place).top", limit: limits.maximumScoreTopCount)
        for row in score.top {
            guard row.count == topCount else {
                throw .invalid(field: "\(place).top", problem: "has rows of \(topCount) and of \(row.count) entries")
            }
            for entry in row { try check(entry, "\(place).top") }
        }
        try digest(score.logitsDigest, "\(place).logitsDigest")
    }

    private func check(_ entry: TokenLogProbability, _ place: String) throws(WireError) {
        try token(entry.token, place)
        try logProbability(entry.logProbability, place)
    }

    private func tokens(_ tokens: [Int32], _ field: String) throws(WireError) {
        for entry in tokens { try token(entry, field) }
    }

    private func token(_ token: Int32, _ field: String) throws(WireError) {
        if token < 0 { throw .invalid(field: field, problem: "\(token) is not a token id") }
    }

    /// A number that is not a NaN; rounding may take the logarithm of a certainty a little over 0.
    private func logProbability(_ value: Float, _ field: String) throws(WireError) {
        try range(value, field, -Float.infinity...0.001)
    }
}
