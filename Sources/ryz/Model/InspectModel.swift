import ArgumentParser
import Checkpoints
import CommandSupport
import ModelTools
import OperatorTools

struct InspectModel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Shows what a model is and what each worker would hold of it.",
        discussion: """
            Example:
              ryz model inspect ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --workers 3

            BITS are bits per weight, scales included. Workers get the layers that the coordinator would give them;
            WEIGHTS are their bytes in the file. EMBEDDINGS are read from the mapped file, a row for each token.
            The weights themselves are not read.
            """)

    @Argument(help: "The GGUF file, or the folder of a Hugging Face or converted model.")
    var model: String
    @Option(help: "Over how many workers the layers are to be divided.")
    var workers = 1
    @Flag(help: "Print JSON, with sizes in bytes.")
    var json = false

    func validate() throws { try ThreadOptions.check(workers, "--workers", in: 1...1024) }

    func run() throws {
        let inspection = try ModelInspection(ModelFile(path: model), workerCount: workers)
        let text =
            json
            ? try JSONOutput.text(inspection, isPretty: true)
            : inspection.text(width: 120, isColoured: Terminal.showsColours)
        Terminal.write(text + "\n")
    }
}
