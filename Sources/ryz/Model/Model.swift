import ArgumentParser

struct Model: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks into model files, and makes them.",
        discussion: """
            Example:
              ryz model inspect ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --workers 3
            """,
        subcommands: [InspectModel.self, SynthesizeModel.self, ConvertModel.self])
}
