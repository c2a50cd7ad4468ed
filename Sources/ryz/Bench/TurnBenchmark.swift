import ArgumentParser
import Checkpoints
import ClusterClient
import CommandSupport
import Kernels
import LocalCluster
import OperatorTools
import Transport

/// Measures what it saves that a conversation's next turn goes on from the one before.
struct TurnBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "turn",
        abstract: "Measures how soon a conversation's next turn has its first token, with and without reuse.",
        discussion: """
            Example:
              ryz bench turn --model model.gguf --placement 1,1 --history 400 --new 20

            A request of as many tokens as the conversation has so far is answered, then one that begins with the same
            tokens and has new ones: once by a cluster that keeps what it has computed, once by one that does not.
            """)

    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint.")
    var model: String
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Threads of each worker. By default the workers share the physical cores.")
    var threadsPerWorker: Int?
    @Option(help: "Tokens of the conversation so far.")
    var history = 400
    @Option(help: "Tokens that the next turn adds.")
    var new = 20
    @Option(help: "How often to measure each; the median counts.")
    var rounds = 5

    func validate() throws {
        try ThreadOptions.check(threadsPerWorker, "--threads-per-worker", in: 1...1024)
        try ThreadOptions.check(history, "--history", in: 32...(1 << 16))
        try ThreadOptions.check(new, "--new", in: 1...(1 << 16))
        try ThreadOptions.check(rounds, "--rounds", in: 1...100)
    }

    func run() async throws {
        let file = try ModelFile(path: model)
        guard history + new < file.configuration.contextLength else {
            throw ValidationError(
                "--history \(history) and --new \(new): the model was made for at most "
                    + "\(file.configuration.contextLength) tokens")
        }
        var seconds: [Bool: [Double]] = [:]
        let progress = ProgressLine()
        defer { progress.clear() }
        for reuses in [false, true] {
            let times = try await Interruption.cancelling {
                try await LocalCluster.run(options(reuses), report: progress.show) { cluster in
                    progress.show(reuses ? "measuring with reuse" : "measuring without reuse")
                    return try await measure(cluster.address, vocabularySize: file.configuration.vocabularySize)
                }
            }
            guard let times else { throw Interruption.exitCode }
            seconds[reuses] = times
        }
        progress.clear()
        let (without, with) = (Median.of(seconds[false] ?? []), Median.of(seconds[true] ?? []))
        func milliseconds(_ seconds: Double) -> String { Units.decimal(seconds * 1000, places: 1) + " ms" }
        Terminal.write(
            """
            \(Processor.modelName.printable), \(history) tokens of conversation and \(new) new ones, first token after
            \(milliseconds(without)) without reuse, \(milliseconds(with)) with it

            """)
    }

    /// Seconds from asking for a next turn to its first token.
    private func measure(_ address: CoordinatorAddress, vocabularySize: Int) async throws -> [Double] {
        let client = ClusterClient(address)
        var times: [Double] = []
        // The first round pays for memory that nobody has touched yet.
        for round in 0...rounds {
            // Each conversation begins with another token.
            let tokens = (0..<(history + new)).map { Int32(($0 &* 7919 + round + 1) % vocabularySize) }
            _ = try await client.generate(Array(tokens.prefix(history)), count: 1)
            let start = ContinuousClock.now
            _ = try await client.generate(tokens, count: 1)
            if round > 0 { times.append(start.duration(to: .now) / .seconds(1)) }
        }
        return times
    }

    private func options(_ reuses: Bool) throws -> LocalClusterOptions {
        var options = try shape.clusterOptions(
            modelPath: model, defaultWorkerCount: 1, threadsPerWorker: threadsPerWorker)
        options.reusesPrefixes = reuses
        options.logLevel = "error"
        return options
    }
}
