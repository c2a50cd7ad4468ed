import ClusterCore
import Hummingbird
import Transport

extension API {
    /// Positions computed at a time for the log-probabilities of an echoed prompt.
    private static let echoChunk = 512

    /// `POST /v1/completions`
    func complete(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let fields = try await fields(of: request)
        try checkModel(fields)
        if let resumed = try await resumed(request, context) { return resumed }
        let completion = try CompletionRequest(
            fields, model: model, maximumChoiceCount: limits.choiceCount, maximumPromptCount: limits.promptCount)
        let identity = AnswerIdentity(prefix: "cmpl", model: model.id)
        let answer = AnswerDescription(
            form: .text, identity: identity, reportsLogProbabilities: completion.topLogProbabilityCount != nil,
            includesUsage: completion.common.includesUsage,
            plan: try await plan(completion, identity, owner: context.owner, interruptions(context)))
        return try await write(answer, streams: completion.common.streams, context)
    }

    private func plan(
        _ completion: CompletionRequest, _ identity: AnswerIdentity, owner: String?, _ interruptions: Interruptions
    ) async throws -> GenerationPlan {
        // All prompts are checked before the engine has work with any.
        var prompts: [(tokens: [Int32], limit: Int)] = []
        for (index, prompt) in completion.prompts.enumerated() {
            let tokens = self.tokens(of: prompt, completion)
            guard !tokens.isEmpty else {
                throw APIError.invalid(parameter: "prompt", problem: "prompt \(index) has no tokens; give at least one")
            }
            let limit = try tokenLimit(completion.maximumTokenCount, promptTokenCount: tokens.count)
            prompts.append((tokens, limit))
        }
        var plan = GenerationPlan(
            id: identity.id, promptTokenCount: prompts.reduce(0) { $0 + $1.tokens.count }, choices: [])
        for (index, prompt) in prompts.enumerated() {
            let echo = try await echo(completion, index, prompt.tokens, interruptions)
            for _ in 0..<completion.common.choiceCount {
                var choice = choice(
                    plan.choices.count, of: identity, owner: owner, prompt: prompt.tokens,
                    tokenLimit: prompt.limit, common: completion.common,
                    topLogProbabilityCount: completion.topLogProbabilityCount)
                choice.echo = echo
                if completion.maximumTokenCount == 0 { choice.request = nil }
                plan.choices.append(choice)
            }
        }
        return plan
    }

    private func tokens(of prompt: CompletionRequest.Prompt, _ completion: CompletionRequest) -> [Int32] {
        switch prompt {
        case .tokens(let tokens): tokens
        case .text(let text):
            codec.encode(text, parsesSpecialTokens: true, addsBeginningOfSequence: completion.addsSpecialTokens)
        }
    }

    /// The prompt as the beginning of its choices, with log-probabilities if they are asked for; nil without `echo`.
    private func echo(
        _ completion: CompletionRequest, _ index: Int, _ tokens: [Int32], _ interruptions: Interruptions
    ) async throws -> ChoiceDelta? {
        guard completion.echoes else { return nil }
        var echo = ChoiceDelta()
        var decoder = codec.makeDecoder()
        var offsets: [Int] = []
        var length = 0
        for token in tokens {
            offsets.append(length)
            if completion.common.skipsSpecialTokens, codec.isSpecial(token) { continue }
            let text = decoder.append(token)
            length += text.unicodeScalars.count
            echo.text += text
        }
        echo.text += decoder.finish()
        if case .text(let text) = completion.prompts[index] { echo.text = text }
        guard let topCount = completion.topLogProbabilityCount else { return echo }
        let scored = try await interruptions.withInterruption { [engine] in
            try await engine.score(tokens: tokens, topCount: topCount, chunk: Self.echoChunk)
        }
        guard scored.nextLogProbabilities.count == tokens.count - 1, scored.top.count == tokens.count else {
            throw APIError.internalFailure("the engine scored another number of tokens than it was given")
        }
        echo.tokens = tokens.indices.map { position in
            let choice =
                position == 0
                ? TokenChoice(token: tokens[0])
                : TokenChoice(
                    token: tokens[position], logProbability: scored.nextLogProbabilities[position - 1],
                    top: scored.top[position - 1])
            return ReportedToken(choice: choice, textOffset: offsets[position])
        }
        return echo
    }
}
