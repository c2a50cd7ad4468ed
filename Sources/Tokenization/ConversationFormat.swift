public import Checkpoints
public import Templates

/// A model's chat template with the texts of its special tokens: conversations in, prompts out.
public struct ConversationFormat: Sendable {
    private let template: ChatTemplate
    private let beginningOfSequence: String?
    private let endOfSequence: String?

    /// The model's template; nil if it has none.
    ///
    /// - Throws: `TemplateError` if the template cannot be understood.
    public init?(model: ModelFile, tokenizer: Tokenizer) throws(TemplateError) {
        try self.init(source: model.source, tokenizer: tokenizer)
    }

    /// The template of a GGUF file or folder, which need not hold a model; nil if it has none.
    ///
    /// - Throws: `TemplateError` if the template cannot be understood.
    public init?(source: ModelSource, tokenizer: Tokenizer) throws(TemplateError) {
        beginningOfSequence = tokenizer.beginningOfSequence.map { tokenizer.text(of: $0) }
        endOfSequence = tokenizer.endOfSequence.map { tokenizer.text(of: $0) }
        switch source.origin {
        case .gguf(let gguf):
            guard case .string(let source)? = gguf.metadata["tokenizer.chat_template"] else { return nil }
            template = try ChatTemplate(source: source)
        case .folder(let folder):
            // The tokeniser has read the configuration before.
            guard let source = try? TokenizerConfiguration(folder: folder).chatTemplate else { return nil }
            template = try ChatTemplate(source: source)
        // An origin is never converted itself.
        case .converted: return nil
        }
    }

    /// Renders a conversation.
    ///
    /// - Parameters:
    ///   - messages: a JSON array of messages.
    ///   - tools: a JSON array of tool descriptions, or nil.
    ///   - variables: a JSON object of further variables for the template, or nil.
    ///   - addsGenerationPrompt: whether the text ends with the opening of the assistant's turn.
    ///   - secondsSince1970: the time that `strftime_now` shows.
    /// - Throws: `TemplateError`; `.raised` carries the template's own message.
    public func render(
        messages: String, tools: String? = nil, variables: String? = nil, addsGenerationPrompt: Bool = true,
        secondsSince1970: Int64
    ) throws(TemplateError) -> String {
        var prompt = ChatPrompt(
            messages: try Self.list(messages, "messages"), addsGenerationPrompt: addsGenerationPrompt,
            secondsSince1970: secondsSince1970)
        if let tools { prompt.tools = try Self.list(tools, "tools") }
        if let variables {
            guard case .mapping(let mapping) = try TemplateValue(json: variables) else {
                throw .json(offset: 0, problem: "chat template variables must be an object")
            }
            prompt.variables = mapping
        }
        return try render(prompt)
    }

    /// Renders a conversation that has been read already, with this model's special tokens.
    ///
    /// - Throws: `TemplateError`; `.raised` carries the template's own message.
    public func render(_ prompt: ChatPrompt) throws(TemplateError) -> String {
        var prompt = prompt
        prompt.beginningOfSequence = beginningOfSequence
        prompt.endOfSequence = endOfSequence
        return try prompt.render(with: template)
    }

    private static func list(_ json: String, _ name: String) throws(TemplateError) -> [TemplateValue] {
        guard case .list(let list) = try TemplateValue(json: json) else {
            throw .json(offset: 0, problem: "\(name) must be an array")
        }
        return list.elements
    }
}
