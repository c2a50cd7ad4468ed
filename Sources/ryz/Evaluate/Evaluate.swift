import ArgumentParser
import Checkpoints
import ClusterClient
import CommandSupport
import Foundation
import Inference
import Kernels
import LocalCluster
import OperatorTools
import Tokenization
import Transport

struct Evaluate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Says how well a model predicts a text, token by token (teacher forcing).",
        discussion: """
            Examples:
              ryz eval --model ~/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf --file story.txt
              ryz eval --model model.gguf --ids tokens.json --workers 3 --json
              ryz eval --model model.gguf --ids tokens.json --placement 2,1 --worker-isa avx2,avx512
              ryz eval --coordinator http://127.0.0.1:8080 --file story.txt --json

            With --workers or --placement, a cluster on this machine computes; without, this process does; with --coordinator, a
            running cluster. All give the same bits, which logits_sha256 shows: it is taken over all logits.
            """)

    @Option(help: "The GGUF file, or the folder of a Hugging Face checkpoint.")
    var model: String?
    @Option(help: "A running cluster to ask instead, such as http://127.0.0.1:8080.")
    var coordinator: String?
    @Option(help: "A file with the text, in UTF-8; - is standard input. Special tokens in it are not parsed.")
    var file: String?
    @Option(help: "A JSON file with token ids: an array, or an object with an array 'ids'.")
    var ids: String?
    @OptionGroup var shape: LocalClusterShape
    @Option(help: "Threads, of each worker if there are any. By default the physical cores, shared by the workers.")
    var threads: Int?
    @Option(help: "Positions to compute at a time.")
    var chunk = 512
    @Option(help: "Longest sequence, in tokens. By default as many as the text has.")
    var context: Int?
    @Option(help: "Best tokens to report at each position, 0 to 64.")
    var top = 16
    @Option(help: "How exactly the model's head is kept, which changes answers. By default automatic.")
    var head: HeadPrecision?
    @OptionGroup var kernels: KernelOptions
    @Flag(help: "Print JSON: ids, next_logprob, top_ids, top_logprobs, perplexity, logits_sha256.")
    var json = false

    func validate() throws {
        guard (model == nil) != (coordinator == nil) else {
            throw ValidationError("give either --model or --coordinator")
        }
        guard (file == nil) != (ids == nil) else { throw ValidationError("give either --file or --ids") }
        guard
            coordinator == nil
                || (!shape.isGiven && threads == nil && context == nil && head == nil && kernels.layout == nil
                    && kernels.kernel == nil && kernels.prefetch == nil)
        else {
            throw ValidationError(
                "--workers, --placement, --activation-grid, --worker-isa, --threads, --context, --head, "
                    + "--ternary-layout, --kernel and --prefetch are settled by the running cluster")
        }
        guard try !shape.needsCluster || shape.workerCount != nil else {
            throw ValidationError(
                "--worker-isa and --no-shared-memory are for a cluster; give --workers or --placement")
        }
        try ThreadOptions.check(threads, "--threads", in: 1...1024)
        try ThreadOptions.check(chunk, "--chunk", in: 1...65536)
        try ThreadOptions.check(context, "--context", in: 1...(1 << 24))
        try ThreadOptions.check(top, "--top", in: 0...64)
    }

    func run() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        guard let answer = try await answer(shape) else { throw Interruption.exitCode }
        guard !json else {
            Terminal.write(try JSONOutput.text(answer) + "\n")
            return
        }
        Terminal.write(ScoreSummary.text(answer, duration: start.duration(to: clock.now)) + "\n")
        guard shape.placement.activationGrid == .segment else { return }
        // What the other grid costs, which only the same text can tell.
        var exactShape = shape
        exactShape.placement.activationGrid = .exact
        guard let exact = try await self.answer(exactShape) else { throw Interruption.exitCode }
        if let line = ScoreSummary.comparison(answer, with: exact, on: "the exact grid") { Terminal.write(line + "\n") }
    }

    /// Nil if the user pressed Ctrl-C.
    private func answer(_ shape: LocalClusterShape) async throws -> ScoreAnswer? {
        guard let model else { return try await askCluster() }
        let file = try ModelFile(path: model)
        let tokens = try tokens(of: file)
        let contextLength = try contextLength(tokenCount: tokens.count, model: file)
        guard let workerCount = try shape.workerCount else {
            return try score(tokens, file, contextLength: contextLength, grid: shape.placement.activationGrid)
        }
        var options = try shape.clusterOptions(
            modelPath: model, defaultWorkerCount: workerCount, threadsPerWorker: threads)
        options.contextLength = contextLength
        options.headPrecision = head
        options.ternaryLayout = kernels.layout
        options.kernel = kernels.kernel
        options.prefetch = kernels.prefetch
        let progress = ProgressLine()
        defer { progress.clear() }
        return try await Interruption.cancelling { [options] in
            try await LocalCluster.run(options, report: progress.show) { cluster in
                progress.show("scoring \(tokens.count) tokens …")
                return try await ask(cluster.address, .tokens(tokens))
            }
        }
    }

    private func askCluster() async throws -> ScoreAnswer? {
        let address = try CoordinatorAddress(coordinator ?? "")
        let input: ScoreInput = try ids.map { .tokens(try TokensFile.read($0)) } ?? .text(InputFile.text(file ?? "-"))
        let progress = ProgressLine()
        defer { progress.clear() }
        progress.show("scoring …")
        return try await Interruption.cancelling { try await ask(address, input) }
    }

    private func ask(_ address: CoordinatorAddress, _ input: ScoreInput) async throws -> ScoreAnswer {
        // Nothing comes before the answer is complete. How long each step may take is the coordinator's to watch.
        var timeouts = ClusterClient.Timeouts()
        timeouts.read = .seconds(24 * 3600)
        return try await ClusterClient(address, timeouts: timeouts).score(input, top: top, chunk: chunk)
    }

    private func tokens(of model: ModelFile) throws -> [Int32] {
        let tokens =
            try ids.map { try TokensFile.read($0) } ?? Tokenizer(model: model).encode(InputFile.text(file ?? "-"))
        let source = ids ?? file ?? "-"
        guard !tokens.isEmpty else { throw InputError.unexpected(path: source, problem: "there is no text to score") }
        let size = model.configuration.vocabularySize
        if let wrong = tokens.first(where: { $0 >= size }) {
            throw InputError.unexpected(path: source, problem: "token \(wrong): the vocabulary has ids 0–\(size - 1)")
        }
        return tokens
    }

    private func contextLength(tokenCount: Int, model: ModelFile) throws -> Int {
        let limit = model.configuration.contextLength
        if let context, context > limit {
            throw ValidationError("--context \(context): the model was made for at most \(limit) tokens")
        }
        let length = context ?? min(tokenCount, limit)
        guard tokenCount <= length else {
            throw ValidationError("the text has \(tokenCount) tokens, but the context holds \(length); shorten it")
        }
        return length
    }

    private func score(
        _ tokens: [Int32], _ model: ModelFile, contextLength: Int, grid: ActivationGrid?
    ) throws -> ScoreAnswer {
        let progress = ProgressLine()
        defer { progress.clear() }
        progress.show("loading …")
        let threadCount = threads ?? Processor.topology.cores.count
        var options = StageOptions(
            threadCount: threadCount, cpus: ThreadOptions.processors(threadCount: threadCount),
            instructionSet: try .selected(), contextLength: contextLength, keyValueTokenCapacity: contextLength,
            maximumStepRowCount: min(chunk, tokens.count), ternaryLayout: kernels.layout, kernel: kernels.kernel,
            prefetch: kernels.prefetch, headPrecision: head ?? .automatic, tuningFolder: RyzHome.tuningFolder)
        options.activationGrid = grid ?? .exact
        return try OwnProcessScore.score(tokens, model: model, options: options, top: top) {
            progress.show("scored \($0) of \(tokens.count) tokens")
        }
    }
}
