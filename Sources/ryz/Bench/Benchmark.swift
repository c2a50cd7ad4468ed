import ArgumentParser
import Checkpoints
import CommandSupport
import Kernels
import Transport

struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures this machine: its roofs, the kernels, and a model.",
        discussion: """
            Example:
              ryz bench --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --threads 2

            The roofs come first: how fast memory can be read, and how many int8 dot products a second the processor
            does at most. All else states its share of the roof that bounds it.
            """)

    @Option(
        help:
            "A GGUF file or Hugging Face folder to measure prefill and decode with. Without it, only roofs and kernels."
    )
    var model: String?
    @Option(help: "Threads. By default the physical cores.")
    var threads: Int?
    @Option(help: "Tokens of the prompt.")
    var prompt = 512
    @Option(help: "Tokens to generate after it.")
    var generate = 64
    @Option(help: "How often to measure prefill and decode; the median counts.")
    var `repeat` = 3
    @Option(help: "How exactly the model's head is kept, which changes answers.")
    var head = HeadPrecision.automatic
    @OptionGroup var ternary: TernaryLayoutOption
    @Flag(help: "Print JSON, in bytes, multiply–adds and tokens per second.")
    var json = false

    func validate() throws {
        try ThreadOptions.check(threads, "--threads", in: 1...1024)
        try ThreadOptions.check(prompt, "--prompt", in: 1...(1 << 20))
        try ThreadOptions.check(generate, "--generate", in: 1...(1 << 20))
        try ThreadOptions.check(`repeat`, "--repeat", in: 1...1000)
    }

    func run() throws {
        let file = try model.map { try ModelFile(path: $0) }
        let progress = ProgressLine()
        defer { progress.clear() }
        let pool = PoolShape(threadCount: threads ?? Processor.topology.cores.count, instructionSet: try .selected())
        let roofs = try RoofMeasurement.run(pool, progress: progress.show)
        var report = BenchmarkReport(
            cpu: Processor.modelName, instructionSet: pool.instructionSet.rawValue, threads: pool.threadCount,
            build: Self.build, roofs: roofs,
            kernels: try KernelMeasurement.run(pool, roofs: roofs, progress: progress.show))
        if let file {
            let measurement = ModelMeasurement(
                model: file, pool: pool, promptLength: prompt, generatedCount: generate, repetitions: `repeat`,
                ternaryLayout: ternary.layout, headPrecision: head)
            report.model = try measurement.run(roofs: roofs, progress: progress.show)
        }
        progress.clear()
        Terminal.write((json ? try JSONOutput.text(report, isPretty: true) : report.text) + "\n")
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

/// The threads that compute.
struct PoolShape {
    var threadCount: Int
    var instructionSet: InstructionSet

    var cpus: [Int32] { ThreadOptions.processors(threadCount: threadCount) }

    func makeCompute() throws -> Compute {
        try Compute(threadCount: threadCount, cpus: cpus, instructionSet: instructionSet)
    }
}
