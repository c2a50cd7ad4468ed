import Checkpoints
import Collectives
import Foundation
import Kernels
import Synchronization
import Testing
import Transport

@testable import Inference

/// Stages of several ranks in this process, each rank on a thread of its own.
final class RankedPipeline {
    private let stages: [[Stage]]
    private var nextStep: UInt64 = 0

    /// - Parameters:
    ///   - placement: how many ranks each stage has; layers are split evenly.
    ///   - instructionSets: of the ranks in order, over and over.
    ///   - modelOfRank: what a rank loads its layers and share from; nil: the model itself.
    ///   - slotByteCount: how much ranks exchange at a time.
    init(
        _ path: String, placement: [Int], threads: Int = 1, instructionSets: [InstructionSet] = [.best],
        slotByteCount: Int = 1 << 20, ternaryLayout: TernaryLayout? = nil, grid: ActivationGrid = .exact,
        shares: ((Int, RankParts) -> [RankShare])? = nil,
        modelOfRank: ((ModelFile, Range<Int>, RankShare) throws -> ModelFile)? = nil
    ) throws {
        let model = try ModelFile(path: path)
        let layerCount = model.configuration.layerCount
        var node = 0
        stages = try placement.enumerated().map { stage, rankCount in
            let layers = layerCount * stage / placement.count..<layerCount * (stage + 1) / placement.count
            let region =
                rankCount == 1
                ? nil
                : try SharedRegion(
                    anonymous: SharedRegion.Shape(memberCount: rankCount, slotCount: 4, slotByteCount: slotByteCount))
            return try (0..<rankCount).map { rank in
                defer { node += 1 }
                let wait = ExchangeWait(names: (0..<rankCount).map { "worker-\($0)" })
                var options = StageOptions(
                    threadCount: threads, instructionSet: instructionSets[node % instructionSets.count],
                    contextLength: 256, keyValueTokenCapacity: 1024, ternaryLayout: ternaryLayout)
                options.activationGrid = grid
                let shares = (shares ?? evenShares)(rankCount, model.configuration.rankParts)
                return try Stage(
                    model: try modelOfRank?(model, layers, shares[rank]) ?? model, layers: layers, shares: shares,
                    group: region.map {
                        RankGroup(
                            SharedMemoryLinks(
                                $0, ranks: Array(0..<rankCount), rank: rank, rankCount: rankCount, wait: wait))
                    } ?? .alone,
                    options: options)
            }
        }
    }

    /// Passes slices through all stages. Every rank of a stage must have the same hidden states.
    func run(_ slices: [SequenceSlice], releasing released: [SequenceID] = []) throws -> [SliceResult] {
        let step = Step(id: StepID(nextStep), slices: slices, released: released)
        nextStep += 1
        var hidden: HiddenStates?
        for ranks in stages {
            let outputs = try inParallel(ranks) { stage in
                guard let hidden else { return try stage.run(step) }
                return try hidden.tensor.withBytes(rows: step.rowCount) { (bytes) throws(InferenceError) in
                    try stage.run(step, hiddenStates: bytes)
                }
            }
            hidden = try HiddenStates(of: ranks[0], rows: step.rowCount)
            for other in ranks.dropFirst() {
                for row in 0..<step.rowCount {
                    #expect(other.hiddenStates(row: row) == ranks[0].hiddenStates(row: row))
                }
            }
            guard case .result(let result) = outputs[0] else { continue }
            #expect(outputs.dropFirst().allSatisfy { $0 == .nothing })
            return result.slices
        }
        return []
    }

    func score(_ tokens: [Int32], chunk: Int, topCount: Int) throws -> SliceScore {
        var total = SliceScore(targetLogProbabilities: [], top: [], logitsDigest: [])
        for first in stride(from: 0, to: tokens.count, by: chunk) {
            let end = min(first + chunk, tokens.count)
            let targets = Array(tokens[min(first + 1, tokens.count)..<min(end + 1, tokens.count)])
            let slice = SequenceSlice(
                sequence: SequenceID(0), startPosition: first, tokens: Array(tokens[first..<end]),
                output: .score(targets: targets, topCount: topCount))
            guard case .scored(let score)? = try run([slice]).first?.output else { continue }
            total.targetLogProbabilities += score.targetLogProbabilities
            total.top += score.top
            total.logitsDigest = score.logitsDigest
        }
        _ = try run([], releasing: [SequenceID(0)])
        return total
    }
}

/// What one stage hands to the next.
private final class HiddenStates {
    let tensor: Tensor

    init(of stage: Stage, rows: Int) throws {
        var tensor = try Tensor(rows: max(1, rows), columns: stage.hiddenSize)
        for row in 0..<rows {
            for (column, value) in stage.hiddenStates(row: row).enumerated() { tensor[row, column] = value }
        }
        self.tensor = tensor
    }
}

/// Every rank with as many heads, blocks and chunks as the others, as far as that goes.
func evenShares(_ rankCount: Int, _ parts: RankParts) -> [RankShare] {
    func range(_ count: Int, _ rank: Int) -> Range<Int> { count * rank / rankCount..<count * (rank + 1) / rankCount }
    return (0..<rankCount).map {
        RankShare(
            keyValueHeads: range(parts.keyValueHeadCount, $0),
            feedForwardBlocks: range(parts.feedForwardBlockCount, $0),
            vocabularyChunks: range(parts.vocabularyChunkCount, $0))
    }
}

/// Calls `body` for each stage on a thread of its own; the first error if there is one.
private func inParallel(
    _ stages: [Stage], _ body: @escaping (Stage) throws -> Stage.Output
) throws -> [Stage.Output] {
    let work = Work(stages, body)
    let threads = stages.indices.map { index in Thread { work.run(index) } }
    for thread in threads { thread.start() }
    return try work.results()
}

/// Stages are each used by one thread at a time.
private final class Work: @unchecked Sendable {
    private let stages: [Stage]
    private let body: (Stage) throws -> Stage.Output
    private let condition = NSCondition()
    private var outputs: [Result<Stage.Output, any Error>?]

    init(_ stages: [Stage], _ body: @escaping (Stage) throws -> Stage.Output) {
        self.stages = stages
        self.body = body
        outputs = Array(repeating: nil, count: stages.count)
    }

    func run(_ index: Int) {
        let output = Result { try body(stages[index]) }
        condition.withLock {
            outputs[index] = output
            condition.signal()
        }
    }

    func results() throws -> [Stage.Output] {
        condition.lock()
        defer { condition.unlock() }
        while outputs.contains(where: { $0 == nil }) { condition.wait() }
        return try outputs.compactMap { try $0?.get() }
    }
}
