import Checkpoints
import CommandSupport
import Inference
import Kernels
import Transport

/// A model's speed on one node.
struct ModelFigures: Encodable {
    var name: String
    /// Resident weights that every token reads.
    var weightsByteCount: Int
    /// The layouts and kernels that there were to choose from.
    var candidates: [CandidateFigures]
    /// Where their rates come from: `measured`, or the path of the file that they were kept in.
    var candidatesOrigin: String?
    /// From opening the file until the first token could be computed.
    var loadSeconds: Double
    var prefill: PhaseFigures
    var decode: PhaseFigures

    private enum CodingKeys: String, CodingKey {
        case name, candidates, prefill, decode
        case weightsByteCount = "weights_bytes"
        case candidatesOrigin = "candidates_origin"
        case loadSeconds = "load_seconds"
    }
}

/// A layout and kernel for products with one row of activations, as it was measured when the model was loaded.
struct CandidateFigures: Encodable {
    var layout: String
    var kernel: String
    var columns: Int
    var groupColumns: Int?
    var multiplyAddsPerSecond: Double
    var isChosen: Bool

    private enum CodingKeys: String, CodingKey {
        case layout, kernel, columns
        case groupColumns = "group_columns"
        case multiplyAddsPerSecond = "multiply_adds_per_second"
        case isChosen = "chosen"
    }
}

/// How fast tokens went through a model.
struct PhaseFigures: Encodable {
    var tokens: Int
    var tokensPerSecond: Double
    /// Weights read; for decode only.
    var bytesPerSecond: Double?
    /// By the weight matrices; for prefill only. Attention's own products are not counted.
    var multiplyAddsPerSecond: Double?
    /// Of reading memory for decode, of dot products for prefill.
    var shareOfRoof: Double

    private enum CodingKeys: String, CodingKey {
        case tokens
        case tokensPerSecond = "tokens_per_second"
        case bytesPerSecond = "bytes_per_second"
        case multiplyAddsPerSecond = "multiply_adds_per_second"
        case shareOfRoof = "share_of_roof"
    }
}

/// Measures prefill and decode with a whole model in this process.
struct ModelMeasurement {
    var model: ModelFile
    var pool: PoolShape
    var promptLength: Int
    var generatedCount: Int
    var repetitions: Int
    var kernels: KernelOptions
    /// Whether layouts and kernels are measured although it is kept which are fastest.
    var measuresAgain: Bool
    var headPrecision: HeadPrecision

    /// Rows of a step, as the coordinator has it by default.
    private static let stepRows = 512

    func run(roofs: Roofs, progress: (String) -> Void) throws -> ModelFigures {
        progress("bench: loading the model")
        let length = promptLength + generatedCount
        var options = StageOptions(
            threadCount: pool.threadCount, cpus: pool.cpus, instructionSet: pool.instructionSet,
            contextLength: length, keyValueTokenCapacity: length, maximumStepRowCount: Self.stepRows,
            ternaryLayout: kernels.layout, kernel: kernels.kernel, headPrecision: headPrecision,
            tuningFolder: RyzHome.tuningFolder)
        options.measuresAgain = measuresAgain
        let start = ContinuousClock.now
        let stage = try Stage(model: model, layers: 0..<model.configuration.layerCount, options: options)
        let loadTime = start.duration(to: .now)
        var pipeline = try Pipeline([stage])
        var (prefills, decodes): ([Double], [Double]) = ([], [])
        for repetition in 0..<repetitions {
            progress("bench: prefill and decode, \(repetition + 1) of \(repetitions)")
            let sequence = SequenceID(UInt64(repetition))
            var token: Int32 = 0
            prefills.append(try Stopwatch.seconds { token = try prefill(&pipeline, sequence) })
            decodes.append(try Stopwatch.seconds { try decode(&pipeline, sequence, first: token) })
            _ = try pipeline.run([], releasing: [sequence])
        }
        let prefillRate = Double(promptLength) / Stopwatch.median(prefills)
        let decodeRate = Double(generatedCount) / Stopwatch.median(decodes)
        let products = Double(multiplyAddsPerPrompt) * prefillRate / Double(promptLength)
        let bytes = Double(stage.weightsByteCount) * decodeRate
        return ModelFigures(
            name: model.configuration.name, weightsByteCount: stage.weightsByteCount,
            candidates: stage.choice.figures, candidatesOrigin: stage.choice.originText,
            loadSeconds: loadTime / .seconds(1),
            prefill: PhaseFigures(
                tokens: promptLength, tokensPerSecond: prefillRate, multiplyAddsPerSecond: products,
                shareOfRoof: products / roofs.dotProductsPerSecond),
            decode: PhaseFigures(
                tokens: generatedCount, tokensPerSecond: decodeRate, bytesPerSecond: bytes,
                shareOfRoof: bytes / roofs.readBytesPerSecond))
    }

    private var sampling: SliceOutput { .sample(SamplingParameters(temperature: 0), promptLength: promptLength) }

    /// Passes the prompt through and returns the first token after it.
    private func prefill(_ pipeline: inout Pipeline, _ sequence: SequenceID) throws -> Int32 {
        let vocabularySize = model.configuration.vocabularySize
        var token: Int32 = 0
        for first in stride(from: 0, to: promptLength, by: Self.stepRows) {
            let end = min(first + Self.stepRows, promptLength)
            let tokens = (first..<end).map { Int32($0 &* 7919 % vocabularySize) }
            let slice = SequenceSlice(
                sequence: sequence, startPosition: first, tokens: tokens,
                output: end == promptLength ? sampling : .none)
            if case .sampled(let choice)? = try pipeline.run([slice]).first?.output { token = choice.token }
        }
        return token
    }

    private func decode(_ pipeline: inout Pipeline, _ sequence: SequenceID, first: Int32) throws {
        var token = first
        for index in 0..<generatedCount {
            let slice = SequenceSlice(
                sequence: sequence, startPosition: promptLength + index, tokens: [token], output: sampling)
            if case .sampled(let choice)? = try pipeline.run([slice]).first?.output { token = choice.token }
        }
    }

    /// Layers see every token of the prompt, the head only the last one.
    private var multiplyAddsPerPrompt: Int {
        let matrices = model.layers.flatMap { layer in layer.all.filter { $0.rows > 1 } }
        let layers = matrices.reduce(0) { $0 + $1.rows * $1.columns }
        return promptLength * layers + model.head.rows * model.head.columns
    }
}

extension KernelChoice {
    fileprivate var figures: [CandidateFigures] {
        rates.map { rate in
            CandidateFigures(
                layout: rate.candidate.layout.rawValue, kernel: rate.candidate.kernel.rawValue,
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
