import ArgumentParser

@main
struct Ryz: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ryz",
        abstract: "The operator's command of a Ryzanstein cluster.",
        discussion: """
            Example:
              ryz local --workers 3 --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf
              ryz chat
            """,
        subcommands: [
            Local.self, Health.self, Chat.self, Tokenize.self, Render.self, Evaluate.self, Benchmark.self,
            Model.self, PlanCommand.self, Measure.self, Keygen.self, Revoke.self, Drain.self,
            Resume.self, Rebalance.self, Shutdown.self, Simulate.self,
        ])
}
