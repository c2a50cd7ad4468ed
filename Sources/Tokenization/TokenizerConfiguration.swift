import Checkpoints
import JSON

/// What a folder's `tokenizer_config.json` and `chat_template.jinja` say.
struct TokenizerConfiguration {
    /// The text of the token that a sequence begins with.
    var beginningOfSequence: String?
    /// The text of the token that ends a sequence.
    var endOfSequence: String?
    /// The source of the chat template.
    var chatTemplate: String?

    init(folder: CheckpointFolder) throws(CheckpointError) {
        let fields = try folder.json("tokenizer_config.json")?.root.value
        beginningOfSequence = Self.text(of: fields?["bos_token"])
        endOfSequence = Self.text(of: fields?["eos_token"])
        if let file = folder.file("chat_template.jinja") {
            chatTemplate = file.repairedString(in: 0..<file.byteCount)
        } else if let list = fields?["chat_template"]?.elements {
            chatTemplate = list.first { $0.value["name"]?.string == "default" }?.value["template"]?.string
        } else {
            chatTemplate = fields?["chat_template"]?.string
        }
    }

    /// Tokens are given by their text, or as an object that has it as `content`.
    private static func text(of token: JSONValue?) -> String? { token?.string ?? token?["content"]?.string }
}
