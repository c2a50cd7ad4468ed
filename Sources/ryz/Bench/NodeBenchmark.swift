import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import OperatorTools
import Transport

/// Measures what one node can do.
struct NodeBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Measures this machine: its roofs, the kernels, and a model, by itself or beside a peer.",
        discussion: """
            Examples:
              ryz bench --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --threads 1,2
              ryz bench --model ~/.ryz/models/bitnet-2b-tiles --peer llama.cpp/build/bin/llama-bench --peer-model 2b.gguf

            The roofs come first: how fast memory can be read, and how many int8 dot products a second the processor
            does at most. All else states its share of the roof that bounds it. A peer takes its turn in each round,
            so that both meet the same machine; kernels by themselves are then left out.
            """)

    @Option(
        help:
            "A GGUF file or Hugging Face folder to measure prefill and decode with. Without it, only roofs and kernels."
    )
    var model: String?
    @Option(help: "Threads; several numbers are measured one after the other: 1,2. By default the physical cores.")
    var threads: ThreadCounts?
    @Option(help: "Tokens of the prompt.")
    var prompt = 512
    @Option(help: "Tokens to generate, from an empty context.")
    var generate = 64
    @Option(help: "How often to measure prefill and decode; the median counts.")
    var rounds = 3
    @Option(help: "The peer's benchmark program: llama-bench of llama.cpp, or of what was made from it.")
    var peer: String?
    @Option(help: "The peer's model file. By default that of --model.")
    var peerModel: String?
    @Option(help: "How exactly the model's head is kept, which changes answers.")
    var head = HeadPrecision.automatic
    @OptionGroup var kernels: KernelOptions
    @Flag(help: "Measure which layouts, kernels and prefetches are fastest, although it is kept from another time.")
    var remeasure = false
    @Flag(help: "Print JSON, in bytes, multiply–adds and tokens per second.")
    var json = false

    func validate() throws {
        try ThreadOptions.check(prompt, "--prompt", in: 1...(1 << 20))
        try ThreadOptions.check(generate, "--generate", in: 1...(1 << 20))
        try ThreadOptions.check(rounds, "--rounds", in: 1...1000)
        if peer != nil, model == nil { throw ValidationError("--peer: give the model to compare it with by --model") }
        if peerModel != nil, peer == nil { throw ValidationError("--peer-model: give the peer's program by --peer") }
    }

    func run() throws {
        do { try measure() } catch PeerError.interrupted { throw Interruption.exitCode }
    }

    private func measure() throws {
        let task = try makeTask()
        let progress = ProgressLine()
        defer { progress.clear() }
        let instructionSet = try InstructionSet.selected()
        var report = BenchmarkReport(
            cpu: Processor.modelName, instructionSet: instructionSet.rawValue, build: Self.build, peer: peer)
        for threadCount in threads?.counts ?? [Processor.topology.cores.count] {
            let pool = PoolShape(threadCount: threadCount, instructionSet: instructionSet)
            let roofs = try RoofMeasurement.run(pool, progress: progress.show)
            let figures =
                try peer == nil ? KernelMeasurement.run(pool, kernels, roofs: roofs, progress: progress.show) : []
            var run = BenchmarkRun(threads: threadCount, roofs: roofs, kernels: figures, model: nil)
            if let task {
                var measurement = try ModelMeasurement(task, pool: pool, progress: progress.show)
                run.model = try measurement.run(progress: progress.show)
            }
            report.runs.append(run)
        }
        progress.clear()
        Terminal.write((json ? try JSONOutput.text(report, isPretty: true) : report.text) + "\n")
    }

    /// Nil without a model.
    private func makeTask() throws -> ModelTask? {
        guard let model else { return nil }
        return ModelTask(
            model: try ModelFile(path: model), promptLength: prompt, generatedCount: generate, rounds: rounds,
            kernels: kernels, measuresAgain: remeasure, headPrecision: head,
            peer: peer.map { LlamaBench(program: $0, model: peerModel ?? model) })
    }

    /// Kernels are optimised in both; what is around them is not.
    private static var build: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }
}

/// Such as `1,2,4`.
struct ThreadCounts: ExpressibleByArgument {
    let counts: [Int]

    init?(argument: String) {
        let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
        counts = parts.compactMap { Int($0) }
        guard counts.count == parts.count, counts.count <= 16, counts.allSatisfy({ (1...1024).contains($0) }) else {
            return nil
        }
    }
}

/// The threads that compute.
struct PoolShape {
    var threadCount: Int
    var instructionSet: InstructionSet

    var cpus: [Int32] { ThreadOptions.processors(threadCount: threadCount) }

    func makeCompute() throws -> Compute {
        try Compute(threadCount: threadCount, cpus: cpus, instructionSet: instructionSet)
    }
}
