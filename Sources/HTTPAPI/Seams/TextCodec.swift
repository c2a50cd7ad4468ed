/// Text to tokens and back, for the model that is served: its tokeniser and its chat template.
public protocol TextCodec: Sendable {
    /// Token ids of `text`.
    ///
    /// - Parameters:
    ///   - parsesSpecialTokens: whether `<|im_start|>` in the text becomes the special token or stays text.
    ///   - addsBeginningOfSequence: whether the model's begin-of-sequence token comes first, if the model has one.
    func encode(_ text: String, parsesSpecialTokens: Bool, addsBeginningOfSequence: Bool) -> [Int32]

    /// The bytes that `token` stands for, perhaps only a part of a UTF-8 character.
    func piece(of token: Int32) -> [UInt8]

    /// Whether `token` is a control token, which is not part of the text that users read.
    func isSpecial(_ token: Int32) -> Bool

    /// Tokens that end a generation, such as end-of-sequence and end-of-turn.
    var endOfGenerationTokens: [Int32] { get }

    /// Renders a conversation with the model's chat template.
    ///
    /// - Parameters:
    ///   - messages: a JSON array of messages, in the key order of the client.
    ///   - tools: a JSON array of tool definitions, in the key order of the client.
    ///   - arguments: a JSON object of further variables for the template.
    ///   - addsGenerationPrompt: whether the text ends with the opening of the assistant's turn.
    func renderChat(
        messages: String, tools: String?, arguments: String?, addsGenerationPrompt: Bool
    ) throws(ChatTemplateFailure) -> String

    /// A decoder for one sequence.
    func makeDecoder() -> any TextDecoder
}

/// Turns the tokens of one sequence into text that only ever grows by whole characters.
public protocol TextDecoder: Sendable {
    /// The text that became complete with `token`; empty while a character's bytes are still missing.
    mutating func append(_ token: Int32) -> String

    /// What was held back, with U+FFFD for bytes that are no character.
    mutating func finish() -> String
}

/// Why a conversation could not be rendered.
public struct ChatTemplateFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The template's own words if it refused the messages, else what went wrong in it and where.
    public var description: String
    /// Whether the template, not the messages, is the reason: no conversation can be rendered.
    public var refusesAll: Bool

    public init(_ description: String, refusesAll: Bool = false) {
        self.description = description
        self.refusesAll = refusesAll
    }
}
