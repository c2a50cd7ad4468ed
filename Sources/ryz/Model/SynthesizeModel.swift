import ArgumentParser
import CommandSupport
import ModelTools

struct SynthesizeModel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "synth",
        abstract: "Writes a ternary model of a known shape with random weights, for measuring.",
        discussion: """
            Example:
              ryz model synth --like bitnet-2b-4t --out ~/.ryz/models/synthetic-2b
              ryz bench --model ~/.ryz/models/synthetic-2b

            Shapes: \(ModelShape.known.map(\.name).joined(separator: ", ")).

            The folder is one as Hugging Face publishes them; it takes as much space and work as the real model, and its
            answers mean nothing. The same seed gives the same weights. It appears whole or not at all.
            """)

    @Option(help: "The model whose shape is to be taken.")
    var like: String
    @Option(help: "The folder to make. It must not exist.")
    var out: String
    @Option(help: "What the random weights depend on.")
    var seed: UInt64 = 1
    @Option(help: "Transformer layers, if not as many as the model has.")
    var layers: Int?
    @Option(help: "Tokens of the vocabulary, if not as many as the model has.")
    var vocabulary: Int?

    func run() async throws {
        let names = ModelShape.known.map(\.name).joined(separator: ", ")
        guard var shape = ModelShape.known.first(where: { $0.name == like }) else {
            throw ValidationError("--like \(like): use one of \(names)")
        }
        if let layers { shape.layerCount = layers }
        if let vocabulary { shape.vocabularySize = vocabulary }
        let model = try SyntheticModel(shape: shape, seed: seed)
        let progress = ModelProgress("synth")
        defer { progress.clear() }
        let out = out
        let isDone: Void? = try await Interruption.cancelling {
            try await model.write(to: out, progress: progress.show)
        }
        progress.clear()
        guard isDone != nil else { throw Interruption.exitCode }
    }
}
