import CClusterProto
import Transport

extension EnvelopeReader {
    func step(_ message: UnsafeMutablePointer<Ryz__V1__Step>) throws(WireError) -> Step {
        let slices = try values(
            message.pointee.slices, message.pointee.n_slices, "step.slices", limit: limits.maximumSliceCount, slice)
        let released = try array(
            message.pointee.released, message.pointee.n_released, "step.released", limit: limits.maximumReleasedCount)
        return Step(id: StepID(message.pointee.id), slices: slices, released: released.map { SequenceID($0) })
    }

    func stepResult(_ message: UnsafeMutablePointer<Ryz__V1__StepResult>) throws(WireError) -> StepResult {
        StepResult(
            id: StepID(message.pointee.id),
            slices: try values(
                message.pointee.slices, message.pointee.n_slices, "stepResult.slices",
                limit: limits.maximumSliceCount, sliceResult))
    }

    func exchange(_ message: UnsafeMutablePointer<Ryz__V1__Exchange>) -> Exchange {
        Exchange(step: StepID(message.pointee.step), round: message.pointee.round)
    }

    private func slice(
        _ message: UnsafeMutablePointer<Ryz__V1__SequenceSlice>, _ place: String
    ) throws(WireError) -> SequenceSlice {
        let tokenLimit = limits.maximumStepTokenCount
        let output: SliceOutput
        switch message.pointee.output_case {
        case RYZ__V1__SEQUENCE_SLICE__OUTPUT_SAMPLE:
            let sample = try present(message.pointee.sample)
            guard let parameters = sample.pointee.parameters else {
                throw .invalid(field: "\(place).sample.parameters", problem: "is missing")
            }
            output = .sample(
                try samplingParameters(parameters, "\(place).sample"), promptLength: Int(sample.pointee.prompt_length))
        case RYZ__V1__SEQUENCE_SLICE__OUTPUT_SCORE:
            let score = try present(message.pointee.score)
            output = .score(
                targets: try array(
                    score.pointee.targets, score.pointee.n_targets, "\(place).targets", limit: tokenLimit),
                topCount: Int(score.pointee.top_count))
        default: output = .none
        }
        return SequenceSlice(
            sequence: SequenceID(message.pointee.sequence), startPosition: Int(message.pointee.start_position),
            tokens: try array(message.pointee.tokens, message.pointee.n_tokens, "\(place).tokens", limit: tokenLimit),
            output: output, rewinds: message.pointee.rewinds != 0)
    }

    private func samplingParameters(
        _ message: UnsafeMutablePointer<Ryz__V1__SamplingParameters>, _ place: String
    ) throws(WireError) -> SamplingParameters {
        let tokens = try array(
            message.pointee.logit_bias_tokens, message.pointee.n_logit_bias_tokens, "\(place).logitBias",
            limit: limits.maximumLogitBiasCount)
        let values = try array(
            message.pointee.logit_bias_values, message.pointee.n_logit_bias_values, "\(place).logitBias",
            limit: limits.maximumLogitBiasCount)
        guard tokens.count == values.count else {
            throw .invalid(
                field: "\(place).logitBias", problem: "has \(tokens.count) tokens but \(values.count) values")
        }
        let reportsLogProbabilities =
            message.pointee.log_probabilities_case
            == RYZ__V1__SAMPLING_PARAMETERS__LOG_PROBABILITIES_TOP_LOG_PROBABILITY_COUNT
        return SamplingParameters(
            temperature: message.pointee.temperature, topK: Int(message.pointee.top_k),
            topP: message.pointee.top_p, minP: message.pointee.min_p,
            repetitionPenalty: message.pointee.repetition_penalty,
            frequencyPenalty: message.pointee.frequency_penalty, presencePenalty: message.pointee.presence_penalty,
            logitBias: zip(tokens, values).map { LogitBias(token: $0, bias: $1) }, seed: message.pointee.seed,
            topLogProbabilityCount: reportsLogProbabilities ? Int(message.pointee.top_log_probability_count) : nil)
    }

    private func sliceResult(
        _ message: UnsafeMutablePointer<Ryz__V1__SliceResult>, _ place: String
    ) throws(WireError) -> SliceResult {
        let output: SliceResult.Output
        switch message.pointee.output_case {
        case RYZ__V1__SLICE_RESULT__OUTPUT_SAMPLED:
            output = .sampled(try tokenChoice(try present(message.pointee.sampled), "\(place).sampled"))
        case RYZ__V1__SLICE_RESULT__OUTPUT_SCORED:
            output = .scored(try sliceScore(try present(message.pointee.scored), "\(place).scored"))
        default: output = .none
        }
        return SliceResult(sequence: SequenceID(message.pointee.sequence), output: output)
    }

    private func tokenChoice(
        _ message: UnsafeMutablePointer<Ryz__V1__TokenChoice>, _ place: String
    ) throws(WireError) -> TokenChoice {
        let hasLogProbability = message.pointee.chosen_case == RYZ__V1__TOKEN_CHOICE__CHOSEN_LOG_PROBABILITY
        return TokenChoice(
            token: message.pointee.token,
            logProbability: hasLogProbability ? message.pointee.log_probability : nil,
            top: try top(
                tokens: message.pointee.top_tokens, message.pointee.n_top_tokens,
                values: message.pointee.top_log_probabilities, message.pointee.n_top_log_probabilities,
                "\(place).top", limit: limits.maximumTopLogProbabilityCount))
    }

    private func sliceScore(
        _ message: UnsafeMutablePointer<Ryz__V1__SliceScore>, _ place: String
    ) throws(WireError) -> SliceScore {
        let rowCount = Int(message.pointee.row_count)
        let topCount = Int(message.pointee.top_count)
        guard rowCount <= limits.maximumStepTokenCount else {
            throw .invalid(
                field: "\(place).rowCount", problem: "\(rowCount) rows; at most \(limits.maximumStepTokenCount)")
        }
        guard topCount <= limits.maximumScoreTopCount else {
            throw .invalid(
                field: "\(place).topCount", problem: "\(topCount) tokens; at most \(limits.maximumScoreTopCount)")
        }
        let flat = try top(
            tokens: message.pointee.top_tokens, message.pointee.n_top_tokens,
            values: message.pointee.top_log_probabilities, message.pointee.n_top_log_probabilities,
            "\(place).top", limit: rowCount * topCount)
        guard flat.count == rowCount * topCount else {
            throw .invalid(
                field: "\(place).top", problem: "has \(flat.count) entries instead of \(rowCount) × \(topCount)")
        }
        return SliceScore(
            targetLogProbabilities: try array(
                message.pointee.target_log_probabilities, message.pointee.n_target_log_probabilities,
                "\(place).targetLogProbabilities", limit: limits.maximumStepTokenCount),
            top: (0..<rowCount).map { Array(flat[$0 * topCount..<($0 + 1) * topCount]) },
            logitsDigest: try binary(message.pointee.logits_digest, "\(place).logitsDigest", byteCount: 32))
    }

    /// Tokens and their log-probabilities from two arrays of one length.
    private func top(
        tokens: UnsafeMutablePointer<Int32>?, _ tokenCount: Int, values: UnsafeMutablePointer<Float>?,
        _ valueCount: Int, _ field: String, limit: Int
    ) throws(WireError) -> [TokenLogProbability] {
        guard tokenCount == valueCount else {
            throw .invalid(field: field, problem: "has \(tokenCount) tokens but \(valueCount) log-probabilities")
        }
        let tokens = try array(tokens, tokenCount, field, limit: limit)
        let values = try array(values, valueCount, field, limit: limit)
        return zip(tokens, values).map { TokenLogProbability(token: $0, logProbability: $1) }
    }
}
