import ArgumentParser
import Checkpoints
import CommandSupport
import OperatorTools
import Tokenization

struct Tokenize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows the tokens of a text.",
        discussion: """
            Example:
              ryz tokenize --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --text 'Hello world' --json

            The file or folder may hold a vocabulary alone. Without --text and --file, the text is read from standard input.
            """)

    private struct Answer: Encodable {
        var ids: [Int32]
        var pieces: [String]
    }

    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint, with the vocabulary.")
    var model: String
    @Option(help: "The text.")
    var text: String?
    @Option(help: "A file with the text, in UTF-8; - is standard input.")
    var file: String?
    @Flag(help: "Read special tokens such as <|im_end|> as what they are, and begin the sequence as the model expects.")
    var special = false
    @Flag(help: "Print JSON: ids and pieces, with U+FFFD for parts of a character.")
    var json = false

    func validate() throws {
        guard text == nil || file == nil else { throw ValidationError("give --text or --file, not both") }
    }

    func run() throws {
        let tokenizer = try Tokenizer(source: ModelSource(path: model))
        let input = try text ?? InputFile.text(file ?? "-")
        let ids = tokenizer.encode(input, parsesSpecialTokens: special, addsBeginningOfSequence: special)
        let pieces = ids.map { tokenizer.text(of: $0) }
        if json {
            Terminal.write(try JSONOutput.text(Answer(ids: ids, pieces: pieces)) + "\n")
        } else {
            let lines = zip(ids, pieces).map { "\($0)\t\($1.debugDescription)\n" }
            Terminal.write(lines.joined())
        }
    }
}
