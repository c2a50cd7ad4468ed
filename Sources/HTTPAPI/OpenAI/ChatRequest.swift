/// The body of `POST /v1/chat/completions`, checked.
struct ChatRequest: Sendable {
    /// JSON array, keys in the client's order.
    var messages: String
    /// JSON array, keys in the client's order; nil if there are none or the client forbids their use.
    var tools: String?
    /// JSON object of further template variables.
    var templateArguments: String?
    var addsGenerationPrompt: Bool
    var common: SamplingFields
    /// Nil: as many as the context has room for.
    var maximumTokenCount: Int?
    /// Nil: no log-probabilities.
    var topLogProbabilityCount: Int?

    init(_ fields: JSONFields, model: ServedModel, maximumChoiceCount: Int) throws(APIError) {
        messages = try ChatMessages.text(of: fields)
        tools = try Self.tools(fields)
        if let arguments = fields["chat_template_kwargs"] {
            guard case .object = arguments.value else {
                throw fields.mismatch("chat_template_kwargs", arguments, "must be an object")
            }
            templateArguments = fields.document.text(of: arguments)
        }
        addsGenerationPrompt = try fields.bool("add_generation_prompt") ?? true
        common = try SamplingFields(fields, model: model, maximumChoiceCount: maximumChoiceCount)
        let limit = try fields.integer("max_completion_tokens", in: 1...Int.max)
        let olderLimit = try fields.integer("max_tokens", in: 1...Int.max)
        maximumTokenCount = limit ?? olderLimit
        let topCount = try fields.integer("top_logprobs", in: 0...20)
        if try fields.bool("logprobs") ?? false {
            topLogProbabilityCount = topCount ?? 0
        } else if topCount ?? 0 > 0 {
            throw .invalid(parameter: "top_logprobs", problem: "'top_logprobs' is allowed only when 'logprobs' is true")
        }
    }

    private static func tools(_ fields: JSONFields) throws(APIError) -> String? {
        let choice = fields["tool_choice"]
        switch choice?.value {
        case nil, .string("auto"), .string("none"): break
        default:
            throw .unsupported(
                parameter: "tool_choice",
                problem: "'tool_choice' may be 'auto' or 'none'; forcing a tool is not supported")
        }
        guard let node = fields["tools"] else { return nil }
        guard case .array(let tools) = node.value else { throw fields.mismatch("tools", node, "must be an array") }
        for (index, tool) in tools.enumerated() {
            _ = try JSONFields(tool, of: fields.document, at: "tools[\(index)]")
        }
        if case .string("none") = choice?.value { return nil }
        return tools.isEmpty ? nil : fields.document.text(of: node)
    }
}
