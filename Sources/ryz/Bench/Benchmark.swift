import ArgumentParser

struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract:
            "Measures this machine: by itself (node), in clusters, between two ranks, in conversations, in failure, and under fire.",
        subcommands: [
            NodeBenchmark.self, ClusterBenchmark.self, ExchangeBenchmark.self, TurnBenchmark.self,
            FailoverBenchmark.self, ChaosBenchmark.self, FuzzBenchmark.self,
        ],
        defaultSubcommand: NodeBenchmark.self)
}
