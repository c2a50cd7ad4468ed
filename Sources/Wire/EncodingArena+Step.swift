import CClusterProto
import Transport

extension EncodingArena {
    func step(_ step: Step) -> UnsafeMutablePointer<Ryz__V1__Step> {
        let message = make(ryz__v1__step__init)
        message.pointee.id = step.id.number
        message.pointee.n_slices = step.slices.count
        message.pointee.slices = messages(step.slices, slice)
        message.pointee.n_released = step.released.count
        message.pointee.released = array(step.released.map(\.number))
        return message
    }

    func stepResult(_ result: StepResult) -> UnsafeMutablePointer<Ryz__V1__StepResult> {
        let message = make(ryz__v1__step_result__init)
        message.pointee.id = result.id.number
        message.pointee.n_slices = result.slices.count
        message.pointee.slices = messages(result.slices, sliceResult)
        return message
    }

    func exchange(_ exchange: Exchange) -> UnsafeMutablePointer<Ryz__V1__Exchange> {
        let message = make(ryz__v1__exchange__init)
        message.pointee.step = exchange.step.number
        message.pointee.round = exchange.round
        return message
    }

    private func slice(_ slice: SequenceSlice) -> UnsafeMutablePointer<Ryz__V1__SequenceSlice> {
        let message = make(ryz__v1__sequence_slice__init)
        message.pointee.sequence = slice.sequence.number
        message.pointee.start_position = UInt32(slice.startPosition)
        message.pointee.n_tokens = slice.tokens.count
        message.pointee.tokens = array(slice.tokens)
        message.pointee.rewinds = slice.rewinds ? 1 : 0
        switch slice.output {
        case .none: break
        case .sample(let parameters, let promptLength):
            let sample = make(ryz__v1__sample_output__init)
            sample.pointee.parameters = samplingParameters(parameters)
            sample.pointee.prompt_length = UInt32(promptLength)
            message.pointee.output_case = RYZ__V1__SEQUENCE_SLICE__OUTPUT_SAMPLE
            message.pointee.sample = sample
        case .score(let targets, let topCount):
            let score = make(ryz__v1__score_output__init)
            score.pointee.n_targets = targets.count
            score.pointee.targets = array(targets)
            score.pointee.top_count = UInt32(topCount)
            message.pointee.output_case = RYZ__V1__SEQUENCE_SLICE__OUTPUT_SCORE
            message.pointee.score = score
        }
        return message
    }

    private func samplingParameters(
        _ parameters: SamplingParameters
    ) -> UnsafeMutablePointer<Ryz__V1__SamplingParameters> {
        let message = make(ryz__v1__sampling_parameters__init)
        message.pointee.temperature = parameters.temperature
        message.pointee.top_k = UInt32(parameters.topK)
        message.pointee.top_p = parameters.topP
        message.pointee.min_p = parameters.minP
        message.pointee.repetition_penalty = parameters.repetitionPenalty
        message.pointee.frequency_penalty = parameters.frequencyPenalty
        message.pointee.presence_penalty = parameters.presencePenalty
        message.pointee.n_logit_bias_tokens = parameters.logitBias.count
        message.pointee.logit_bias_tokens = array(parameters.logitBias.map(\.token))
        message.pointee.n_logit_bias_values = parameters.logitBias.count
        message.pointee.logit_bias_values = array(parameters.logitBias.map(\.bias))
        message.pointee.seed = parameters.seed
        if let count = parameters.topLogProbabilityCount {
            message.pointee.log_probabilities_case =
                RYZ__V1__SAMPLING_PARAMETERS__LOG_PROBABILITIES_TOP_LOG_PROBABILITY_COUNT
            message.pointee.top_log_probability_count = UInt32(count)
        }
        return message
    }

    private func sliceResult(_ result: SliceResult) -> UnsafeMutablePointer<Ryz__V1__SliceResult> {
        let message = make(ryz__v1__slice_result__init)
        message.pointee.sequence = result.sequence.number
        switch result.output {
        case .none: break
        case .sampled(let choice):
            message.pointee.output_case = RYZ__V1__SLICE_RESULT__OUTPUT_SAMPLED
            message.pointee.sampled = tokenChoice(choice)
        case .scored(let score):
            message.pointee.output_case = RYZ__V1__SLICE_RESULT__OUTPUT_SCORED
            message.pointee.scored = sliceScore(score)
        }
        return message
    }

    private func tokenChoice(_ choice: TokenChoice) -> UnsafeMutablePointer<Ryz__V1__TokenChoice> {
        let message = make(ryz__v1__token_choice__init)
        message.pointee.token = choice.token
        if let logProbability = choice.logProbability {
            message.pointee.chosen_case = RYZ__V1__TOKEN_CHOICE__CHOSEN_LOG_PROBABILITY
            message.pointee.log_probability = logProbability
        }
        message.pointee.n_top_tokens = choice.top.count
        message.pointee.top_tokens = array(choice.top.map(\.token))
        message.pointee.n_top_log_probabilities = choice.top.count
        message.pointee.top_log_probabilities = array(choice.top.map(\.logProbability))
        return message
    }

    private func sliceScore(_ score: SliceScore) -> UnsafeMutablePointer<Ryz__V1__SliceScore> {
        let message = make(ryz__v1__slice_score__init)
        let top = score.top.flatMap { $0 }
        message.pointee.n_target_log_probabilities = score.targetLogProbabilities.count
        message.pointee.target_log_probabilities = array(score.targetLogProbabilities)
        message.pointee.row_count = UInt32(score.top.count)
        message.pointee.top_count = UInt32(score.top.first?.count ?? 0)
        message.pointee.n_top_tokens = top.count
        message.pointee.top_tokens = array(top.map(\.token))
        message.pointee.n_top_log_probabilities = top.count
        message.pointee.top_log_probabilities = array(top.map(\.logProbability))
        message.pointee.logits_digest = binary(score.logitsDigest)
        return message
    }
}
