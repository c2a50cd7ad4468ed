import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import LocalCluster
import OperatorTools
import Transport

/// Measures whole clusters on this machine, as their clients see them.
struct ClusterBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Measures clusters of real processes on this machine, over their HTTP API.",
        discussion: """
            Example:
              ryz bench cluster --model model.gguf --placement 1 --placement 2 --placement 1,1 --threads-per-worker 1

            Each placement is started anew in each round, and they take turns. Generated are the likeliest tokens, for
            exactly as long as is asked. With --predict, the workers of each cluster first measure themselves and their
            links, and what ryz plan makes of that stands beside what was measured.
            """)

    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint; give it once for each model to measure.")
    var model: [String]
    @Option(
        help: ArgumentHelp(
            "How many workers share each stage's layers, such as 2,1; give it once for each placement to measure.",
            valueName: "ranks"))
    var placement: [PlacementShape]
    @Option(help: "Threads of each worker. By default the workers share the physical cores.")
    var threadsPerWorker: Int?
    @Option(help: "Streams at a time, which all do the same.")
    var concurrency = 1
    @Option(help: "Tokens of the prompt.")
    var prompt = 64
    @Option(help: "Tokens to generate behind it.")
    var generate = 64
    @Option(help: "How often to measure each; the median counts.")
    var rounds = 3
    @Option(help: "On which grid ternary models round activations.")
    var activationGrid: ActivationGrid?
    @Flag(help: "Also predict what each placement does, from what its workers measure.")
    var predict = false
    @Flag(help: "Let ranks of one stage exchange their parts over sockets, as on several machines.")
    var noSharedMemory = false
    @Flag(help: "Print JSON, in seconds and tokens per second.")
    var json = false

    func validate() throws {
        guard placement.allSatisfy({ !$0.isPlanned }) else {
            throw ValidationError("--placement auto: give the ranks of each stage; what would be planned says ryz plan")
        }
        guard !placement.isEmpty else { throw ValidationError("no placement: give --placement 1 or more of them") }
        try ThreadOptions.check(threadsPerWorker, "--threads-per-worker", in: 1...1024)
        try ThreadOptions.check(concurrency, "--concurrency", in: 1...64)
        try ThreadOptions.check(prompt, "--prompt", in: 1...(1 << 16))
        try ThreadOptions.check(generate, "--generate", in: 2...(1 << 16))
        try ThreadOptions.check(rounds, "--rounds", in: 1...100)
    }

    func run() async throws {
        var loads: [ClusterLoad] = []
        for path in model {
            let file = try ModelFile(path: path)
            guard prompt + generate <= file.configuration.contextLength else {
                throw ValidationError(
                    "--prompt \(prompt) and --generate \(generate): \(path) was made for at most "
                        + "\(file.configuration.contextLength) tokens")
            }
            loads.append(
                ClusterLoad(
                    model: path,
                    prompt: (0..<prompt).map { Int32($0 &* 7919 % file.configuration.vocabularySize) },
                    generate: generate, concurrency: concurrency))
        }
        let trials = loads.flatMap { load in placement.map { (load: load, shape: $0) } }
        var report = ClusterReport(
            cpu: Processor.modelName, concurrency: concurrency, promptTokenCount: prompt,
            generatedTokenCount: generate,
            placements: trials.map { .init(model: $0.load.modelName, placement: $0.shape.description) })
        let progress = ProgressLine()
        defer { progress.clear() }
        for round in 1...rounds {
            for (index, trial) in trials.enumerated() {
                let place = "\(trial.load.modelName), placement \(trial.shape), round \(round) of \(rounds)"
                let times = try await Interruption.cancelling {
                    try await LocalCluster.run(
                        options(trial.load.model, trial.shape), report: { progress.show("\(place): \($0)") }
                    ) { cluster in
                        progress.show("\(place): measuring")
                        let predicted = predict ? try await trial.load.predict(cluster.address) : nil
                        var times = try await trial.load.measure(cluster.address)
                        times.predictedTokensPerSecond = predicted
                        return times
                    }
                }
                guard let times else { throw Interruption.exitCode }
                report.placements[index].rounds.append(times)
            }
        }
        progress.clear()
        Terminal.write((json ? try JSONOutput.text(report, isPretty: true) : report.text) + "\n")
    }

    private func options(_ model: String, _ shape: PlacementShape) -> LocalClusterOptions {
        let ranks = shape.ranks ?? []
        let workerCount = ranks.reduce(0, +)
        var options = LocalClusterOptions(
            modelPath: model, workerCount: workerCount,
            threadsPerWorker: ThreadOptions.threadsPerWorker(threadsPerWorker, workerCount: workerCount))
        options.placement = ranks
        options.activationGrid = activationGrid
        options.sharesMemory = !noSharedMemory
        options.contextLength = prompt + generate
        // The same prompt comes again and again.
        options.reusesPrefixes = false
        // That workers leave when a round is over is no news.
        options.logLevel = "error"
        return options
    }
}
