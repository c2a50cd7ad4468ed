import Checkpoints
import CommandSupport
import Inference
import Kernels
import OperatorTools
import Transport

/// What prefill and decode are measured with.
struct ModelTask {
    var model: ModelFile
    var promptLength: Int
    var generatedCount: Int
    var rounds: Int
    var kernels: KernelOptions
    /// Whether layouts, kernels and prefetches are measured although it is kept which are fastest.
    var measuresAgain: Bool
    var headPrecision: HeadPrecision
    /// Takes its turn in each round.
    var peer: LlamaBench?
}

/// Measures prefill and decode with a whole model in this process, and beside a peer in turn with it.
struct ModelMeasurement {
    private let task: ModelTask
    private let pool: PoolShape
    private let stage: Stage
    private var pipeline: Pipeline
    private let loadSeconds: Double
    private var nextSequence: UInt64 = 0

    /// Rows of a step, as the coordinator has it by default.
    private static let stepRows = 512

    /// Loads the model.
    init(_ task: ModelTask, pool: PoolShape, progress: (String) -> Void) throws {
        progress("bench: loading the model")
        let length = max(task.promptLength, task.generatedCount)
        var options = StageOptions(
            threadCount: pool.threadCount, cpus: pool.cpus, instructionSet: pool.instructionSet, contextLength: length,
            keyValueTokenCapacity: length, maximumStepRowCount: Self.stepRows, ternaryLayout: task.kernels.layout,
            kernel: task.kernels.kernel, prefetch: task.kernels.prefetch, headPrecision: task.headPrecision,
            tuningFolder: RyzHome.tuningFolder)
        options.measuresAgain = task.measuresAgain
        let start = ContinuousClock.now
        stage = try Stage(
            model: task.model, layers: 0..<task.model.configuration.layerCount, options: options)
        loadSeconds = start.duration(to: .now) / .seconds(1)
        pipeline = try Pipeline([stage])
        self.task = task
        self.pool = pool
    }

    /// All rounds; each measures the roofs anew, as they move from one to the next, and that of decode right before and
    /// behind it, of which the mean counts.
    mutating func run(progress: (String) -> Void) throws -> ModelFigures {
        var figures = ModelFigures(
            name: task.model.displayName, weightsByteCount: stage.weightsByteCount,
            candidates: stage.choice.figures, candidatesOrigin: stage.choice.originText, loadSeconds: loadSeconds,
            prefill: PhaseFigures(
                tokens: task.promptLength, workPerToken: Double(multiplyAddsPerPrompt) / Double(task.promptLength)),
            decode: PhaseFigures(tokens: task.generatedCount, workPerToken: Double(stage.weightsByteCount)))
        // What is computed first pays for memory that nobody has touched yet.
        _ = try prefill()
        progress("bench: roofs")
        let roofs = try RoofMeasurement(pool)
        for round in 0..<task.rounds {
            let threads = "\(pool.threadCount) \(pool.threadCount == 1 ? "thread" : "threads")"
            let place = "with \(threads), round \(round + 1) of \(task.rounds)"
            var peer: LlamaBench.Rates?
            if let program = task.peer {
                progress("bench: the peer, \(place)")
                peer = try Processor.unpinned {
                    try program.run(
                        threads: pool.threadCount, prompt: task.promptLength, generate: task.generatedCount)
                }
            }
            progress("bench: prefill, \(place)")
            figures.prefill.rounds.append(
                PhaseFigures.Round(
                    tokensPerSecond: Double(task.promptLength) / (try prefill()), roof: roofs.dotPeak,
                    peerTokensPerSecond: peer?.prefill))
            progress("bench: decode, \(place)")
            let before = roofs.readRate
            let seconds = try decode()
            figures.decode.rounds.append(
                PhaseFigures.Round(
                    tokensPerSecond: Double(task.generatedCount) / seconds, roof: (before + roofs.readRate) / 2,
                    peerTokensPerSecond: peer?.decode))
        }
        return figures
    }

    /// Seconds for passing the prompt through, up to the first token after it.
    private mutating func prefill() throws -> Double {
        let task = task
        let vocabularySize = task.model.configuration.vocabularySize
        return try inSequence { pipeline, sequence in
            for first in stride(from: 0, to: task.promptLength, by: Self.stepRows) {
                let end = min(first + Self.stepRows, task.promptLength)
                let tokens = (first..<end).map { Int32($0 &* 7919 % vocabularySize) }
                let slice = SequenceSlice(
                    sequence: sequence, startPosition: first, tokens: tokens,
                    output: end == task.promptLength ? Self.sampling : .none)
                _ = try pipeline.run([slice])
            }
        }
    }

    /// Seconds for generating from an empty context, as llama-bench has it.
    private mutating func decode() throws -> Double {
        let count = task.generatedCount
        return try inSequence { pipeline, sequence in
            var token: Int32 = 0
            for position in 0..<count {
                let slice = SequenceSlice(
                    sequence: sequence, startPosition: position, tokens: [token], output: Self.sampling)
                if case .sampled(let choice)? = try pipeline.run([slice]).first?.output { token = choice.token }
            }
        }
    }

    private static let sampling = SliceOutput.sample(SamplingParameters(temperature: 0), promptLength: 1)

    /// Seconds that `body` takes with a sequence of its own, which is then released.
    private mutating func inSequence(_ body: (inout Pipeline, SequenceID) throws -> Void) throws -> Double {
        let sequence = SequenceID(nextSequence)
        nextSequence += 1
        let seconds = try Stopwatch.seconds { try body(&pipeline, sequence) }
        _ = try pipeline.run([], releasing: [sequence])
        return seconds
    }

    /// Layers see every token of the prompt, the head only the last one.
    private var multiplyAddsPerPrompt: Int {
        let matrices = task.model.layers.flatMap { layer in layer.all.filter { $0.rows > 1 } }
        let layers = matrices.reduce(0) { $0 + $1.rows * $1.columns }
        return task.promptLength * layers + task.model.head.rows * task.model.head.columns
    }
}

extension KernelChoice {
    fileprivate var figures: [CandidateFigures] {
        rates.map { rate in
            CandidateFigures(
                layout: rate.candidate.layout.rawValue, kernel: rate.candidate.kernel.rawValue,
                prefetch: rate.candidate.prefetch.rawValue,
                columns: rate.candidate.columns, groupColumns: rate.candidate.groupColumns,
                multiplyAddsPerSecond: rate.weightsPerSecond, isChosen: isChosen(rate.candidate))
        }
    }

    fileprivate var originText: String? {
        switch origin {
        case .nothingMeasured: nil
        case .measured: "measured" + (cacheProblem.map { ", but not kept: \($0)" } ?? "")
        case .cached(let path): path
        }
    }
}

extension ModelFile {
    /// What the model calls itself, or else its file or folder.
    fileprivate var displayName: String {
        let name = configuration.name
        return name.isEmpty ? path.split(separator: "/").last.map(String.init) ?? path : name
    }
}
