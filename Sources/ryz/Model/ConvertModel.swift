import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import ModelTools
import OperatorTools
import Transport

struct ConvertModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert",
        abstract: "Writes a model in the layout of the kernels, so that workers load it in a moment.",
        discussion: """
            Example:
              ryz model convert ~/.ryz/models/bitnet-b1.58-2B-4T --out ~/.ryz/models/bitnet-2b-tiles
              ryz-coord --model ~/.ryz/models/bitnet-2b-tiles
              ryz model convert llama-f16.gguf --bits 4 --head 8bit --out ~/.ryz/models/llama-4bit

            The folder gives the same answers, bit for bit, as the original does with the same --head, unless --bits makes
            the weights of its layers shorter: then it is another model, and what they lost is printed. It has all that the
            original has but for its weights, and every worker needs a copy of it. It appears whole or not at all.
            """)

    @Argument(help: "The GGUF file, or the folder of a Hugging Face model.")
    var model: String
    @Option(help: "The folder to make. It must not exist.")
    var out: String
    @Option(
        help: """
            How ternary weights lie in tiles: t5 and i5, five to a byte in two ways, and t2, two bits each, any of which a \
            worker makes of the others when it loads them; l3, three to five bits. Answers are the same.
            """)
    var ternaryLayout = TernaryLayout.fiveToAByte
    @Option(
        help: """
            How exactly the language-model head is kept: automatic (8bit for large floating-point heads of ternary \
            models), 8bit or stored.
            """)
    var head = HeadPrecision.automatic
    @Option(help: "Quantise the layers' matrices to so many bits, 1 to 4. For models that are not ternary.")
    var bits: Int?
    @Option(help: "Columns of a row that share a scale and a minimum: a multiple of 32. By default 64. With --bits.")
    var group: Int?

    private static let defaultGroup = 64

    func validate() throws {
        try ThreadOptions.check(bits, "--bits", in: BitPlanes.bitCounts)
        try ThreadOptions.check(group, "--group", in: BitPlanes.groupColumnCounts)
        if group != nil, bits == nil { throw ValidationError("--group means something only with --bits") }
        if let group, !BitPlanes.isGroup(group) { throw ValidationError("--group \(group): use a multiple of 32") }
    }

    func run() async throws {
        let planes = bits.flatMap { BitPlanes(bits: $0, groupColumns: group ?? Self.defaultGroup) }
        let conversion = try ModelConversion(
            ModelFile(path: model), ternaryLayout: ternaryLayout, headPrecision: head, quantising: planes)
        let progress = ModelProgress("convert")
        defer { progress.clear() }
        let out = out
        let loss = try await Interruption.cancelling {
            try await conversion.write(to: out, progress: progress.show)
        }
        progress.clear()
        guard let loss else { throw Interruption.exitCode }
        let inspection = try ModelInspection(ModelFile(path: out), workerCount: 1)
        Terminal.write("\(inspection.path): \(inspection.byteCount) bytes, digest \(inspection.digest)\n")
        if planes != nil { Terminal.write(loss.text(width: 120, isColoured: Terminal.showsColours) + "\n") }
    }
}

extension TernaryLayout: ExpressibleByArgument {}
