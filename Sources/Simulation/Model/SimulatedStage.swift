import Inference
import Kernels
import Transport
import WorkerRuntime

/// One rank's part of a `HashModel`: layers, heads and their KV cache, in blocks that the real table of sequences gives out.
struct SimulatedStage {
    /// A step on its way through the layers.
    struct Run {
        let step: Step
        fileprivate let slices: [AttentionPlan.Slice]
        /// Of all rows, as they are before `layer`.
        fileprivate(set) var hidden: [UInt64]
        fileprivate(set) var layer: Int
        /// What the heads of this rank, and of those that have been added, add in `layer`; one for each row.
        fileprivate(set) var sums: [UInt64] = []
        fileprivate let endLayer: Int

        /// Adds what another rank's heads add.
        mutating func add(_ others: [UInt64]) {
            for row in sums.indices { sums[row] &+= others[row] }
        }

        /// Goes on to the next layer; false after the last one.
        mutating func advance() -> Bool {
            for row in sums.indices { hidden[row] &+= sums[row] }
            layer += 1
            return layer < endLayer
        }
    }

    enum Output {
        case hiddenStates([UInt64])
        case result(StepResult)
        /// Another rank of the last stage answers.
        case nothing
    }

    private(set) var assignment: StageAssignment
    private let model: HashModel
    private let heads: Range<Int>
    private var sequences: SequenceTable
    /// What the cache keeps: `[layer × head × slot]`, where a block has 256 slots.
    private var cache: [UInt64]
    private let slotCount: Int
    /// Of the texts that are scored, on the last stage.
    private var digests: [SequenceID: UInt64] = [:]
    /// Sequences that it may hold something of.
    private var held: Set<SequenceID> = []
    /// Ranks that have lost step stay so until they join anew.
    private var exchangeProblem: StageError?

    init(_ assignment: StageAssignment, _ model: HashModel) {
        self.assignment = assignment
        self.model = model
        heads = assignment.ranks[assignment.rank].share.keyValueHeads
        let blockCount = SequenceTable.blocks(for: assignment.keyValueTokenCapacity)
        sequences = SequenceTable(blockCount: blockCount, contextLength: assignment.contextLength)
        slotCount = blockCount * KeyValueCache.blockPositions
        cache = [UInt64](repeating: 0, count: assignment.layers.count * heads.count * slotCount)
    }

    /// Tokens that the cache holds now, and can hold.
    var keyValueTokenCount: Int { sequences.tokenCount }
    var keyValueTokenCapacity: Int { slotCount }
    /// Sequences that it holds something of.
    var heldSequenceCount: Int { held.count }

    /// Forgets all sequences and goes on in another placement; the cache keeps what it held, as memory does.
    mutating func reset(joining assignment: StageAssignment) {
        self.assignment = assignment
        for sequence in held.sorted() { release(sequence) }
        exchangeProblem = nil
    }

    mutating func loseStep(because problem: StageError) { exchangeProblem = problem }

    private mutating func release(_ sequence: SequenceID) {
        sequences.release(sequence)
        digests[sequence] = nil
        held.remove(sequence)
    }

    /// - Parameter hiddenStates: one for each row; nil on the first stage.
    mutating func begin(_ step: Step, _ hiddenStates: [UInt64]?) throws(StageError) -> Run {
        if let exchangeProblem { throw exchangeProblem }
        for sequence in step.released { release(sequence) }
        for slice in step.slices { held.insert(slice.sequence) }
        for slice in step.slices {
            for token in slice.tokens where token < 0 || token >= model.vocabularySize {
                throw StageError("token \(token) is not in the vocabulary", isRetryable: false)
            }
        }
        let slices: [AttentionPlan.Slice]
        do throws(InferenceError) { slices = try sequences.extend(step.slices) } catch { throw StageError(error) }
        let hidden = hiddenStates ?? step.slices.flatMap { $0.tokens.map(HashModel.embedding) }
        return Run(
            step: step, slices: slices, hidden: hidden, layer: assignment.layers.lowerBound,
            endLayer: assignment.layers.upperBound)
    }

    /// Computes this rank's heads of the next layer: `sums` is what they add to each row, for the other ranks.
    mutating func attend(_ run: inout Run) {
        var sums: [UInt64] = []
        sums.reserveCapacity(run.hidden.count)
        for slice in run.slices {
            for position in slice.startPosition..<(slice.startPosition + slice.rowCount) {
                sums.append(attend(run.hidden[sums.count], run.layer, position, slice.blocks))
            }
        }
        run.sums = sums
    }

    private mutating func attend(_ hidden: UInt64, _ layer: Int, _ position: Int, _ blocks: [UInt32]) -> UInt64 {
        let slot = Self.slot(position, blocks)
        let before = position == 0 ? nil : Self.slot(position - 1, blocks)
        var sum: UInt64 = 0
        for head in heads {
            let row = (layer - assignment.layers.lowerBound) * heads.count + head - heads.lowerBound
            let cached = before.map { cache[row * slotCount + $0] } ?? 0
            let part = HashModel.part(layer: layer, head: head, hidden: hidden, cached: cached)
            cache[row * slotCount + slot] = part
            sum &+= part
        }
        return sum
    }

    private static func slot(_ position: Int, _ blocks: [UInt32]) -> Int {
        let size = KeyValueCache.blockPositions
        return Int(blocks[position / size]) * size + position % size
    }

    mutating func finish(_ run: Run) -> Output {
        guard assignment.isLastStage else { return .hiddenStates(run.hidden) }
        var row = 0
        var results: [SliceResult] = []
        for slice in run.step.slices {
            let hidden = run.hidden[row..<(row + slice.tokens.count)]
            row += slice.tokens.count
            results.append(SliceResult(sequence: slice.sequence, output: answer(slice, Array(hidden))))
        }
        return assignment.answers ? .result(StepResult(id: run.step.id, slices: results)) : .nothing
    }

    private mutating func answer(_ slice: SequenceSlice, _ hidden: [UInt64]) -> SliceResult.Output {
        switch slice.output {
        case .none: return .none
        case .sample(let sampling, let promptLength):
            let position = slice.startPosition + hidden.count - 1
            return .sampled(
                model.token(hidden[hidden.count - 1], position: position, sampling, promptLength: promptLength))
        case .score(let targets, let topCount):
            var digest = digests[slice.sequence] ?? 0
            for row in hidden { digest = HashModel.digest(digest, row) }
            digests[slice.sequence] = digest
            return .scored(
                SliceScore(
                    targetLogProbabilities: zip(hidden, targets).map {
                        HashModel.logProbability($0, -1 - Int($1))
                    },
                    top: hidden.map { HashModel.top($0, count: topCount) },
                    logitsDigest: HashModel.bytes(ofDigest: digest)))
        }
    }
}
