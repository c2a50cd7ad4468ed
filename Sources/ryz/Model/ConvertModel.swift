import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import ModelTools
import Transport

struct ConvertModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Writes a model in the layout of the kernels, so that workers load it in a moment.",
        discussion: """
            Example:
              ryz model convert ~/.ryz/models/bitnet-b1.58-2B-4T --out ~/.ryz/models/bitnet-2b-tiles
              ryz-coord --model ~/.ryz/models/bitnet-2b-tiles

            The folder gives the same answers, bit for bit, as the original does with the same --head. It has all that
            the original has but for its weights, and every worker needs a copy of it. It appears whole or not at all.
            """)

    @Argument(help: "The GGUF file, or the folder of a Hugging Face model.")
    var model: String
    @Option(help: "The folder to make. It must not exist.")
    var out: String
    @Option(help: "How ternary weights lie in tiles: t5, five to a byte, or t2, two bits each. Answers are the same.")
    var ternaryLayout = TernaryLayout.fiveToAByte
    @Option(
        help: """
            How exactly the language-model head is kept: automatic (8bit for large floating-point heads of ternary \
            models), 8bit or stored.
            """)
    var head = HeadPrecision.automatic

    func run() async throws {
        let conversion = try ModelConversion(
            ModelFile(path: model), ternaryLayout: ternaryLayout, headPrecision: head)
        let progress = ModelProgress("convert")
        defer { progress.clear() }
        let out = out
        let isDone: Void? = try await Interruption.cancelling {
            try await conversion.write(to: out, progress: progress.show)
        }
        progress.clear()
        guard isDone != nil else { throw Interruption.exitCode }
        let inspection = try ModelInspection(ModelFile(path: out), workerCount: 1)
        Terminal.write("\(inspection.path): \(inspection.byteCount) bytes, digest \(inspection.digest)\n")
    }
}

extension TernaryLayout: ExpressibleByArgument {}
