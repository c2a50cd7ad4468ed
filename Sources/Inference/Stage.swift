import BasicContainers
import Checkpoints
public import Collectives
import Kernels
import Transport

/// What a stage is made with.
public struct StageOptions: Sendable {
    public var threadCount: Int
    /// Processors to pin the threads to; empty pins none.
    public var cpus: [Int32]
    public var instructionSet: InstructionSet
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// KV cache over all sequences, in tokens; rounded up to blocks of 256.
    public var keyValueTokenCapacity: Int
    /// Most rows in a step.
    public var maximumStepRowCount: Int
    /// How ternary weights lie in memory; nil takes the fastest.
    public var ternaryLayout: TernaryLayout?
    /// How products with one row of activations are computed, where the layout leaves a choice; nil takes the faster.
    public var kernel: MatrixKernel?
    /// How they ask for weights in advance; nil takes the fastest.
    public var prefetch: Prefetch?
    public var headPrecision: HeadPrecision
    /// On which grid ternary models round what goes into the projections back into the residual stream.
    public var activationGrid = ActivationGrid.exact
    /// Where it is kept what was measured to choose them; nil measures at each load.
    public var tuningFolder: String?
    /// Whether to measure although it is kept, and to keep that.
    public var measuresAgain = false
    /// Weight in bytes from which on it is worth measuring.
    var leastMeasuredByteCount = 32 << 20

    public init(
        threadCount: Int, cpus: [Int32] = [], instructionSet: InstructionSet, contextLength: Int,
        keyValueTokenCapacity: Int, maximumStepRowCount: Int = 512, ternaryLayout: TernaryLayout? = nil,
        kernel: MatrixKernel? = nil, prefetch: Prefetch? = nil, headPrecision: HeadPrecision = .automatic,
        tuningFolder: String? = nil
    ) {
        self.threadCount = threadCount
        self.cpus = cpus
        self.instructionSet = instructionSet
        self.contextLength = contextLength
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.maximumStepRowCount = maximumStepRowCount
        self.ternaryLayout = ternaryLayout
        self.kernel = kernel
        self.prefetch = prefetch
        self.headPrecision = headPrecision
        self.tuningFolder = tuningFolder
    }
}

/// One node's part of a model: a range of layers, or what one rank of several holds of them, with their KV cache; the first
/// stage also embeds, the last also samples. It belongs to the thread that made it, which becomes the first thread of its pool.
public final class Stage {
    /// What a step leaves behind.
    public enum Output: Equatable, Sendable {
        /// The hidden states of all rows, for the next stage: see `withHiddenStates`.
        case hiddenStates
        /// The last stage's answer.
        case result(StepResult)
        /// On other ranks of the last stage than the one that answers.
        case nothing
    }

    public let configuration: ModelConfiguration
    public let layers: Range<Int>
    /// Resident bytes of the weights, in kernel layout.
    public let weightsByteCount: Int
    /// Which layouts, kernels and prefetches were chosen.
    public let choice: KernelChoice

    private let compute: Compute
    private let options: StageOptions
    private var group: RankGroup
    /// Ranks that have lost step stay so until they join anew.
    private var exchangeProblem: ExchangeError?
    private let transformerLayers: UniqueArray<TransformerLayer>
    private let embedding: WeightSource?
    private var head: OutputHead?
    private let cache: KeyValueCache
    private var workspace: Workspace
    private var sequences: SequenceTable
    private var rowCount = 0

    /// Loads `layers` of the model, and nothing else; with layer 0 the embedding, with the last one the head.
    ///
    /// - Parameters:
    ///   - shares: what each rank of the stage holds of the layers; nil for a stage of a single rank.
    ///   - group: the ranks, of which this is one.
    public init(
        model: ModelFile, layers: Range<Int>, shares: [RankShare]? = nil, group: RankGroup = .alone,
        options: StageOptions
    ) throws(InferenceError) {
        let configuration = model.configuration
        let shares = shares ?? [configuration.rankParts.whole]
        guard shares.count == group.rankCount else {
            throw .distribution("\(shares.count) shares for \(group.rankCount) ranks")
        }
        try configuration.check(shares)
        // Inner norms scale rows whole, which only activations of one scale for a row, or for a segment, allow.
        guard !configuration.hasSubNorms || model.isTernary else {
            throw .modelLoad(
                "\(model.path): inner norms with weights that are not ternary can't be computed here; fetch a model that is "
                    + "packed as ternary, or whose config.json says how it is quantised")
        }
        let ranges = RankRanges(shares[group.rank], of: configuration)
        guard layers.lowerBound >= 0, layers.upperBound <= configuration.layerCount, !layers.isEmpty else {
            throw .modelLoad(
                "layers \(layers.lowerBound)–\(layers.upperBound - 1): the model has layers 0–\(configuration.layerCount - 1)"
            )
        }
        guard options.contextLength > 0, options.contextLength <= configuration.contextLength else {
            throw .validation(
                "a context of \(options.contextLength) tokens: the model was made for 1 to \(configuration.contextLength)"
            )
        }
        guard options.maximumStepRowCount > 0, options.keyValueTokenCapacity > 0 else {
            throw .validation("a stage needs room for at least one row and one KV token")
        }
        let blockCount = SequenceTable.blocks(for: options.keyValueTokenCapacity)
        compute = try lifting { () throws(KernelError) in
            try Compute(
                threadCount: options.threadCount, cpus: options.cpus, instructionSet: options.instructionSet,
                headDimension: configuration.headDimension)
        }
        workspace = try lifting { () throws(KernelError) in
            try Workspace(
                configuration, ranges: ranges, isAlone: group.isAlone,
                grid: model.isTernary ? options.activationGrid : nil,
                rows: options.maximumStepRowCount,
                contextLength: options.contextLength)
        }
        guard workspace.projection.rowByteCount <= group.maximumRowByteCount else {
            throw .distribution(
                "a row of \(workspace.projection.rowByteCount) bytes, of which ranks exchange at most \(group.maximumRowByteCount)"
            )
        }
        cache = try lifting { () throws(KernelError) in
            try KeyValueCache(
                blockCount: blockCount, layerCount: layers.count, headCount: ranges.keyValueHeads.count,
                headDimension: configuration.headDimension, precision: model.keyValuePrecision)
        }
        let choice: KernelChoice
        do throws(KernelError) {
            choice = try KernelChoice(model: model, layers: layers, options: options, compute: compute)
        } catch {
            throw InferenceError(error)
        }
        let weights = WeightPreparation(model: model, choice: choice, headPrecision: options.headPrecision)
        var loaded = UniqueArray<TransformerLayer>(minimumCapacity: layers.count)
        var byteCount = 0
        for layer in layers {
            let next = try lifting { () throws(KernelError) in
                try TransformerLayer(weights, layer: layer, ranges: ranges)
            }
            byteCount += next.byteCount
            loaded.append(next)
        }
        if layers.upperBound == configuration.layerCount {
            let vocabulary = shares.map { RankRanges.vocabulary($0, of: configuration) }
            let head = try lifting { () throws(KernelError) in
                try OutputHead(weights, vocabulary: vocabulary, group: group)
            }
            byteCount += head.byteCount
            self.head = consume head
        } else {
            head = nil
        }
        embedding =
            layers.lowerBound == 0
            ? try lifting { () throws(KernelError) in try model.source(model.tokenEmbedding) } : nil
        transformerLayers = loaded
        weightsByteCount = byteCount
        self.choice = choice
        sequences = SequenceTable(blockCount: blockCount, contextLength: options.contextLength)
        self.group = group
        self.configuration = configuration
        self.layers = layers
        self.options = options
    }

    /// Goes on with other links to the same ranks of the stage.
    public func join(_ group: RankGroup) {
        precondition(group.rank == self.group.rank && group.rankCount == self.group.rankCount)
        self.group = group
        exchangeProblem = nil
    }

    /// Tokens in the KV cache, and how many it can hold.
    public var keyValueTokenCount: Int { sequences.tokenCount }
    public var keyValueTokenCapacity: Int { sequences.blockCount * KeyValueCache.blockPositions }
    public var hiddenSize: Int { configuration.hiddenSize }

    /// Computes a step on the first stage, from its tokens.
    public func run(_ step: Step) throws(InferenceError) -> Output {
        guard let embedding else { throw .distribution("a step without hidden states for layers \(layers)") }
        let plan = try begin(step)
        var row = 0
        for slice in step.slices {
            for token in slice.tokens {
                embedding.decode(row: Int(token), into: &workspace.hidden, row: row)
                row += 1
            }
        }
        return try finish(step, plan)
    }

    /// Computes a step on a later stage, from the hidden states `[rowCount × hiddenSize]` of the one before.
    public func run(_ step: Step, hiddenStates: RawSpan) throws(InferenceError) -> Output {
        guard embedding == nil else { throw .distribution("hidden states for the first stage") }
        guard hiddenStates.byteCount == step.rowCount * hiddenSize * 4 else {
            throw .distribution(
                "\(hiddenStates.byteCount) bytes of hidden states; \(step.rowCount) rows of \(hiddenSize) float32 are due"
            )
        }
        let plan = try begin(step)
        workspace.hidden.assign(hiddenStates)
        return try finish(step, plan)
    }

    /// The hidden states `[rowCount × hiddenSize]` of the step just run.
    public func withHiddenStates<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try workspace.hidden.withBytes(rows: rowCount, body)
    }

    /// One row of them, for tests.
    func hiddenStates(row: Int) -> [Float] { workspace.hidden.values(row: row) }

    /// Nil when the step only releases.
    private func begin(_ step: Step) throws(InferenceError) -> [AttentionPlan.Slice] {
        if let exchangeProblem { throw .exchange(exchangeProblem) }
        for sequence in step.released {
            sequences.release(sequence)
            head?.forget(sequence)
        }
        rowCount = step.rowCount
        guard rowCount <= options.maximumStepRowCount else {
            throw .distribution("a step of \(rowCount) rows; at most \(options.maximumStepRowCount) fit")
        }
        let vocabulary = Int32(configuration.vocabularySize)
        for slice in step.slices {
            for token in slice.tokens where token < 0 || token >= vocabulary {
                throw .validation("token \(token): the vocabulary has ids 0–\(vocabulary - 1)")
            }
        }
        return try sequences.extend(step.slices)
    }

    private func finish(_ step: Step, _ slices: [AttentionPlan.Slice]) throws(InferenceError) -> Output {
        do throws(InferenceError) {
            if !slices.isEmpty { try forward(step, slices) }
            guard head != nil else { return .hiddenStates }
            guard
                let result = try head!.answer(
                    step, workspace: workspace, compute: compute, group: group)
            else { return .nothing }
            return .result(result)
        } catch {
            if case .exchange(let problem) = error { exchangeProblem = problem }
            throw error
        }
    }

    private func forward(_ step: Step, _ slices: [AttentionPlan.Slice]) throws(InferenceError) {
        let plan = try lifting { () throws(KernelError) in try AttentionPlan(slices) }
        group.begin(step.id, rowCount: plan.rowCount)
        do throws(ExchangeError) {
            for index in 0..<transformerLayers.count {
                try transformerLayers[index].forward(
                    &workspace, compute: compute, group: group, cache: cache, cacheLayer: index, plan: plan,
                    foreseeNext: {
                        if index + 1 < transformerLayers.count {
                            transformerLayers[index + 1].foresee(by: compute)
                        } else {
                            head?.foresee(by: compute)
                        }
                    })
            }
        } catch {
            throw .exchange(error)
        }
    }
}
