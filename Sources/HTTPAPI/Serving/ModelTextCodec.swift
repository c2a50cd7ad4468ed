import Foundation
import Templates
public import Tokenization

/// The tokeniser and chat template of a model as the routes use them.
public struct ModelTextCodec: TextCodec {
    private let tokenizer: Tokenizer
    private let conversationFormat: ConversationFormat?

    /// `conversationFormat` is nil for a model without a chat template: chat requests are then refused with that reason.
    public init(tokenizer: Tokenizer, conversationFormat: ConversationFormat?) {
        self.tokenizer = tokenizer
        self.conversationFormat = conversationFormat
    }

    public func encode(_ text: String, parsesSpecialTokens: Bool, addsBeginningOfSequence: Bool) -> [Int32] {
        tokenizer.encode(
            text, parsesSpecialTokens: parsesSpecialTokens, addsBeginningOfSequence: addsBeginningOfSequence)
    }

    public func piece(of token: Int32) -> [UInt8] { tokenizer.piece(of: token) }

    public func isSpecial(_ token: Int32) -> Bool { tokenizer.isSpecial(token) }

    public var endOfGenerationTokens: [Int32] { tokenizer.endOfGenerationTokens.sorted() }

    public func renderChat(
        messages: String, tools: String?, arguments: String?, addsGenerationPrompt: Bool
    ) throws(ChatTemplateFailure) -> String {
        guard let conversationFormat else {
            throw ChatTemplateFailure("the model has no chat template; use /v1/completions")
        }
        do throws(TemplateError) {
            return try conversationFormat.render(
                messages: messages, tools: tools, variables: arguments, addsGenerationPrompt: addsGenerationPrompt,
                secondsSince1970: Int64(Date().timeIntervalSince1970))
        } catch {
            throw ChatTemplateFailure(error.description)
        }
    }

    /// Special tokens are left out before decoding, or wanted by the client.
    public func makeDecoder() -> any TextDecoder { StreamingDecoder(tokenizer: tokenizer, includesSpecialTokens: true) }
}

extension StreamingDecoder: TextDecoder {}
