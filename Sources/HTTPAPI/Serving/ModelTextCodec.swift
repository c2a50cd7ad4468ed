public import Checkpoints
import Foundation
import Templates
public import Tokenization

/// The tokeniser and chat template of a model as the routes use them.
public struct ModelTextCodec: TextCodec {
    private let tokenizer: Tokenizer
    private let conversationFormat: ConversationFormat?
    /// Why the model's chat template cannot be used; nil if it can, or if there is none.
    public let templateProblem: String?

    /// A model whose chat template is missing or cannot be understood is served all the same: only chat requests are
    /// refused, with that reason.
    public init(model: ModelFile, tokenizer: Tokenizer) {
        self.tokenizer = tokenizer
        do throws(TemplateError) {
            conversationFormat = try ConversationFormat(model: model, tokenizer: tokenizer)
            templateProblem = nil
        } catch {
            conversationFormat = nil
            templateProblem = error.description
        }
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
            let problem = templateProblem.map { "the model's chat template cannot be understood: \($0)" }
            throw ChatTemplateFailure(
                "\(problem ?? "the model has no chat template"); use /v1/completions", refusesAll: true)
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
