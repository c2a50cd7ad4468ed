import ArgumentParser
import Checkpoints
import CommandSupport
import Foundation
import OperatorTools
import Tokenization

struct Render: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the prompt that a model's chat template makes of a conversation.",
        discussion: """
            Example:
              echo '[{"role": "user", "content": "Hello"}]' |
                  ryz render --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --messages -

            The prompt is printed as it is, without a line break after it.
            """)

    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint, with the template.")
    var model: String
    @Option(
        help: """
            A JSON file: an array of messages, or an object with messages and perhaps tools, add_generation_prompt and \
            variables of the template; - is standard input.
            """)
    var messages: String
    @Option(help: "A JSON file with descriptions of tools.")
    var tools: String?
    @Flag(inversion: .prefixedNo, help: "End the prompt where the answer begins, whatever the file says.")
    var generationPrompt: Bool?

    func run() throws {
        let source = try ModelSource(path: model)
        let tokenizer = try Tokenizer(source: source)
        guard let format = try ConversationFormat(source: source, tokenizer: tokenizer) else {
            throw InputError.unexpected(path: model, problem: "it has no chat template; choose an instruct model")
        }
        var prompt = try ConversationFile.read(messages)
        if let tools { prompt.tools = try ConversationFile.readTools(tools) }
        if let generationPrompt { prompt.addsGenerationPrompt = generationPrompt }
        prompt.secondsSince1970 = Int64(Date().timeIntervalSince1970)
        Terminal.write(try format.render(prompt))
    }
}
