import ArgumentParser

struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures this machine: by itself (node), in clusters, and between two ranks.",
        subcommands: [NodeBenchmark.self, ClusterBenchmark.self, ExchangeBenchmark.self],
        defaultSubcommand: NodeBenchmark.self)
}
