public import Checkpoints
public import Collectives
import Foundation
import Inference
import Kernels
public import Logging
public import Transport
public import WeightTransfer

/// Loads the part of a model that an assignment describes.
public struct StageLoader: Sendable {
    /// Threads to compute with.
    public var threadCount: Int
    /// Processors to pin them to; empty pins none.
    public var cpus: [Int32]
    public var instructionSet: InstructionSet
    /// How ternary weights lie in memory; nil takes the fastest.
    public var ternaryLayout: TernaryLayout?
    /// How products with one row of activations are computed, where the layout leaves a choice; nil takes the faster.
    public var kernel: MatrixKernel?
    /// How they ask for weights in advance; nil takes the fastest.
    public var prefetch: Prefetch?
    /// Where it is kept what was measured to choose them; nil measures at each load.
    public var tuningFolder: String?
    /// Where a model file is looked for by its name if it isn't where the coordinator has it.
    public var modelsFolder: String
    /// Which files weights may come from.
    public var weightsOrigin = WeightsOrigin.automatic
    /// Where weights are kept that came from other nodes; nil if none are to come.
    public var shardCache: ShardCache?
    /// Hears how much of its weights is there, while they are got together; nil when that is over.
    public var onProgress: @Sendable (LoadingProgress?) -> Void = { _ in }
    /// Is told of weights that were fetched; nil for nobody.
    public var logger: Logger?
    /// Bytes that new allocations can have; 0 if that is not known.
    public var availableByteCount: @Sendable () -> UInt64 = { Processor.memory.available }

    public init(
        threadCount: Int, cpus: [Int32], instructionSet: InstructionSet, modelsFolder: String,
        ternaryLayout: TernaryLayout? = nil
    ) {
        self.threadCount = threadCount
        self.cpus = cpus
        self.instructionSet = instructionSet
        self.modelsFolder = modelsFolder
        self.ternaryLayout = ternaryLayout
    }

    /// Opens the model, checks that it is the one the coordinator means, and loads the assigned layers.
    ///
    /// - Parameter supply: has the weights that are not on this machine; nil if nobody serves them.
    public func load(
        _ assignment: StageAssignment, _ group: RankGroup, _ supply: WeightsSupply? = nil
    ) throws(StageError) -> any StageComputing {
        let (model, entry) = try open(assignment, supply)
        try checkMemory(for: assignment, of: model)
        var options = StageOptions(
            threadCount: threadCount, cpus: cpus, instructionSet: instructionSet,
            contextLength: assignment.contextLength, keyValueTokenCapacity: assignment.keyValueTokenCapacity,
            maximumStepRowCount: assignment.maximumStepRowCount, ternaryLayout: ternaryLayout, kernel: kernel,
            prefetch: prefetch, headPrecision: assignment.headPrecision, tuningFolder: tuningFolder)
        options.activationGrid = assignment.activationGrid
        do throws(InferenceError) {
            return ModelStage(
                try Stage(
                    model: model, layers: assignment.layers, shares: assignment.ranks.map(\.share), group: group,
                    options: options), entry: entry)
        } catch {
            throw StageError(error)
        }
    }

    /// Memory of the KV cache is only taken as it is written, so without this a machine would run out of it in the
    /// middle of a request.
    func checkMemory(for assignment: StageAssignment, of model: ModelFile) throws(StageError) {
        let configuration = model.configuration
        let layers = assignment.layers.clamped(to: 0..<configuration.layerCount)
        let share = assignment.ranks[assignment.rank].share
        let tokens = assignment.keyValueTokenCapacity.addingReportingOverflow(KeyValueCache.blockPositions - 1)
        let blocks = tokens.overflow ? Int.max : tokens.partialValue / KeyValueCache.blockPositions
        let blockByteCount =
            2 * layers.count * share.keyValueHeads.count * configuration.headDimension * KeyValueCache.blockPositions
            * model.keyValuePrecision.byteCount
        let keyValues = blocks.multipliedReportingOverflow(by: blockByteCount)
        let weightsByteCount = model.residentByteCount(
            layers: layers, share: share, headPrecision: assignment.headPrecision)
        let needed = keyValues.partialValue.addingReportingOverflow(weightsByteCount)
        let available = availableByteCount()
        guard available > 0 else { return }
        guard !keyValues.overflow, !needed.overflow, needed.partialValue <= Int(clamping: available) else {
            let keyValueText = keyValues.overflow ? "more than can be counted" : keyValues.partialValue.gibibytes
            throw StageError(
                "layers \(layers.lowerBound)–\(layers.upperBound - 1) need \(weightsByteCount.gibibytes) for weights and "
                    + "\(keyValueText) for \(assignment.keyValueTokenCapacity) tokens of KV cache, but "
                    + "\(Int(clamping: available).gibibytes) of memory are free; lower kv_tokens or context_length, or give "
                    + "this worker fewer layers", isRetryable: true)
        }
    }
}

extension Int {
    /// Such as `1.5 GiB`.
    fileprivate var gibibytes: String {
        let tenths = self / ((1 << 30) / 10)
        return "\(tenths / 10).\(tenths % 10) GiB"
    }
}

extension StageError {
    package init(_ error: InferenceError) {
        var silentRank: Int?
        if case .exchange(let problem) = error { silentRank = problem.rank }
        self.init(error.description, isRetryable: error.isRetryable, silentRank: silentRank)
    }
}

/// A stage of a real model as the compute thread drives it.
private final class ModelStage: StageComputing {
    private let stage: Stage
    private let isFirst: Bool
    /// Sequences that the stage may hold something of.
    private var sequences: Set<SequenceID> = []

    /// Keeps the files in the shard cache from which the embeddings are read.
    private let entry: ShardEntry?

    init(_ stage: Stage, entry: ShardEntry?) {
        self.stage = stage
        self.entry = entry
        isFirst = stage.layers.lowerBound == 0
    }

    var hiddenSize: Int { stage.hiddenSize }
    var weightsByteCount: Int { stage.weightsByteCount }
    var keyValueTokenCount: Int { stage.keyValueTokenCount }
    var keyValueTokenCapacity: Int { stage.keyValueTokenCapacity }

    func run(_ step: Step) throws(StageError) -> StageOutput {
        note(step)
        do throws(InferenceError) { return StageOutput(try stage.run(step)) } catch { throw StageError(error) }
    }

    func run(_ step: Step, hiddenStates: RawSpan) throws(StageError) -> StageOutput {
        note(step)
        do throws(InferenceError) {
            return StageOutput(try stage.run(step, hiddenStates: hiddenStates))
        } catch {
            throw StageError(error)
        }
    }

    func reset(joining group: RankGroup) throws(StageError) {
        stage.join(group)
        let step = Step(id: StepID(0), slices: [], released: sequences.sorted { $0.number < $1.number })
        _ = try isFirst ? run(step) : run(step, hiddenStates: RawSpan())
    }

    private func note(_ step: Step) {
        for sequence in step.released { sequences.remove(sequence) }
        for slice in step.slices { sequences.insert(slice.sequence) }
    }

    func withHiddenStates<Result>(_ body: (RawSpan) throws(LinkError) -> Result) throws(LinkError) -> Result {
        try stage.withHiddenStates(body)
    }
}

extension StageOutput {
    fileprivate init(_ output: Stage.Output) {
        switch output {
        case .hiddenStates: self = .hiddenStates
        case .result(let result): self = .result(result)
        case .nothing: self = .nothing
        }
    }
}
