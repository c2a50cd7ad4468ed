/// The input of one chat request, named as chat templates expect it.
public struct ChatPrompt: Sendable {
    /// The conversation: mappings with `role`, `content` and what else the client sent.
    public var messages: [TemplateValue]
    /// Tool descriptions; nil is undefined to the template. Templates that loop over `tools` without asking stand that,
    /// and they would not stand `none`.
    public var tools: [TemplateValue]?
    /// Documents for retrieval; nil is undefined, too.
    public var documents: [TemplateValue]?
    /// Whether the prompt should end where the assistant's answer starts.
    public var addsGenerationPrompt: Bool
    /// Texts of the model's special tokens; a missing one is undefined to the template and prints as nothing.
    public var beginningOfSequence: String?
    public var endOfSequence: String?
    /// The time that `strftime_now` formats, in UTC; nil makes that function an error.
    public var secondsSince1970: Int64?
    /// Further variables, such as a request's `chat_template_kwargs`. They replace any of the above but the messages.
    public var variables: TemplateMapping

    public init(
        messages: [TemplateValue], tools: [TemplateValue]? = nil, documents: [TemplateValue]? = nil,
        addsGenerationPrompt: Bool = true, beginningOfSequence: String? = nil, endOfSequence: String? = nil,
        secondsSince1970: Int64? = nil, variables: TemplateMapping = TemplateMapping()
    ) {
        self.messages = messages
        self.tools = tools
        self.documents = documents
        self.addsGenerationPrompt = addsGenerationPrompt
        self.beginningOfSequence = beginningOfSequence
        self.endOfSequence = endOfSequence
        self.secondsSince1970 = secondsSince1970
        self.variables = variables
    }

    /// The text to tokenise; special tokens in it are written out.
    ///
    /// - Throws: as `ChatTemplate.render`.
    public func render(with template: ChatTemplate) throws(TemplateError) -> String {
        var context = TemplateMapping()
        if let beginningOfSequence { context["bos_token"] = .string(beginningOfSequence) }
        if let endOfSequence { context["eos_token"] = .string(endOfSequence) }
        if let tools { context["tools"] = .list(TemplateList(tools)) }
        if let documents { context["documents"] = .list(TemplateList(documents)) }
        context["add_generation_prompt"] = .boolean(addsGenerationPrompt)
        for entry in variables.entries { context[entry.key] = entry.value }
        context["messages"] = .list(TemplateList(messages))
        return try template.render(context, secondsSince1970: secondsSince1970)
    }
}
