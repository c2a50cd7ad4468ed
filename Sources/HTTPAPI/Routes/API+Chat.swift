import ClusterCore
import Hummingbird

extension API {
    /// `POST /v1/chat/completions`
    func chat(_ request: Request, _ context: ConnectionContext) async throws -> Response {
        let fields = try await fields(of: request)
        try checkModel(fields)
        if let resumed = try await resumed(request, context) { return resumed }
        let chat = try ChatRequest(fields, model: model, maximumChoiceCount: limits.choiceCount)
        let identity = AnswerIdentity(prefix: "chatcmpl", model: model.id)
        let answer = AnswerDescription(
            form: .chat, identity: identity, reportsLogProbabilities: chat.topLogProbabilityCount != nil,
            includesUsage: chat.common.includesUsage, plan: try plan(chat, identity, owner: context.owner))
        return try await write(answer, streams: chat.common.streams, context)
    }

    private func plan(_ chat: ChatRequest, _ identity: AnswerIdentity, owner: String?) throws -> GenerationPlan {
        let text: String
        do {
            text = try codec.renderChat(
                messages: chat.messages, tools: chat.tools, arguments: chat.templateArguments,
                addsGenerationPrompt: chat.addsGenerationPrompt)
        } catch {
            throw APIError.chatTemplate(error)
        }
        // The template writes special tokens out, the one that begins a sequence among them.
        let prompt = codec.encode(text, parsesSpecialTokens: true, addsBeginningOfSequence: false)
        guard !prompt.isEmpty else {
            throw APIError.invalid(parameter: "messages", problem: "'messages' make a prompt without tokens")
        }
        let limit = try tokenLimit(chat.maximumTokenCount, promptTokenCount: prompt.count)
        let choices = (0..<chat.common.choiceCount).map { index in
            choice(
                index, of: identity, owner: owner, prompt: prompt, tokenLimit: limit, common: chat.common,
                topLogProbabilityCount: chat.topLogProbabilityCount)
        }
        return GenerationPlan(id: identity.id, promptTokenCount: prompt.count, choices: choices)
    }
}
