import Checkpoints
import Collectives
import Kernels
import Transport

/// The final norm, the language-model head and the sampler: what the last stage has on top of its layers. Ranks share the
/// head; rank 0 samples and answers.
struct OutputHead: ~Copyable {
    private let vocabularySize: Int
    private let answers: Bool
    private var projection: LogitsProjection
    private var logits: Tensor  // [batch × vocabulary]; other ranks than 0 leave it untouched
    private var sampler: Sampler
    private var digests: [SequenceID: LogitsDigest] = [:]

    /// - Parameter vocabulary: the tokens whose rows of the head each rank holds.
    init(_ weights: WeightPreparation, vocabulary: [Range<Int>], group: RankGroup) throws(KernelError) {
        let vocabularySize = weights.model.configuration.vocabularySize
        let projection = try LogitsProjection(weights, vocabulary: vocabulary, group: group)
        let logits = try Tensor(rows: LogitsProjection.batchRows, columns: LogitsProjection.padded(vocabularySize))
        let sampler = try Sampler(vocabularySize: vocabularySize)
        self.vocabularySize = vocabularySize
        answers = group.rank == 0
        self.projection = projection
        self.logits = logits
        self.sampler = sampler
    }

    var byteCount: Int { projection.byteCount }

    /// Tells of its product.
    func foresee(by compute: borrowing Compute) { projection.foresee(by: compute) }

    /// Drops what is kept of a sequence.
    mutating func forget(_ sequence: SequenceID) {
        digests.removeValue(forKey: sequence)
        sampler.forget(sequence)
    }

    /// Answers every slice of the step from the hidden states in the workspace; nil on ranks that only lend a hand.
    ///
    /// What is wrong with one row is told after all rows are through: other ranks go on, too.
    mutating func answer(
        _ step: Step, workspace: borrowing Workspace, compute: borrowing Compute, group: RankGroup
    ) throws(InferenceError) -> StepResult? {
        let sampledRows = try sample(step, workspace: workspace, compute: compute, group: group)
        var results: [SliceResult] = []
        var firstRow = 0
        for (index, slice) in step.slices.enumerated() {
            let output: SliceResult.Output
            switch slice.output {
            case .none:
                if answers { sampler.record(slice, promptLength: nil) }
                output = .none
            case .sample: output = sampledRows[index].map { .sampled($0) } ?? .none
            case .score(let targets, let topCount):
                output = .scored(
                    try score(
                        slice, firstRow: firstRow, targets: targets, topCount: topCount, workspace: workspace,
                        compute: compute, group: group))
            }
            results.append(SliceResult(sequence: slice.sequence, output: output))
            firstRow += slice.tokens.count
        }
        return answers ? StepResult(id: step.id, slices: results) : nil
    }

    /// The choices of all slices that ask for one, by index of slice; none on ranks that do not answer.
    private mutating func sample(
        _ step: Step, workspace: borrowing Workspace, compute: borrowing Compute, group: RankGroup
    ) throws(InferenceError) -> [Int: TokenChoice] {
        var wanted: [(slice: Int, row: Int)] = []
        var row = 0
        for (index, slice) in step.slices.enumerated() {
            row += slice.tokens.count
            if case .sample = slice.output { wanted.append((index, row - 1)) }
        }
        var choices: [Int: TokenChoice] = [:]
        var problem: InferenceError?
        for first in stride(from: 0, to: wanted.count, by: LogitsProjection.batchRows) {
            let batch = wanted[first..<min(first + LogitsProjection.batchRows, wanted.count)]
            for (target, item) in batch.enumerated() {
                projection.take(
                    workspace.hidden, row: item.row, at: target, epsilon: workspace.normEpsilon, compute: compute)
            }
            try project(rows: batch.count, compute: compute, group: group)
            guard answers else { continue }
            for (target, item) in batch.enumerated() {
                let slice = step.slices[item.slice]
                guard case .sample(let parameters, let promptLength) = slice.output else { continue }
                sampler.record(slice, promptLength: promptLength)
                do throws(InferenceError) {
                    choices[item.slice] = try sampler.choose(
                        &logits, row: target, slice: slice, parameters: parameters, promptLength: promptLength,
                        compute: compute)
                } catch {
                    problem = problem ?? error
                }
            }
        }
        if let problem { throw problem }
        return choices
    }

    private mutating func score(
        _ slice: SequenceSlice, firstRow: Int, targets: [Int32], topCount: Int, workspace: borrowing Workspace,
        compute: borrowing Compute, group: RankGroup
    ) throws(InferenceError) -> SliceScore {
        guard targets.count == slice.tokens.count || targets.count + 1 == slice.tokens.count,
            targets.allSatisfy({ (0..<Int32(vocabularySize)).contains($0) })
        else {
            throw .validation(
                "\(targets.count) targets for \(slice.tokens.count) tokens, or a target outside the vocabulary")
        }
        var score = SliceScore(targetLogProbabilities: [], top: [], logitsDigest: [])
        var digest = digests[slice.sequence] ?? LogitsDigest()
        var problem: InferenceError?
        for first in stride(from: 0, to: slice.tokens.count, by: LogitsProjection.batchRows) {
            let count = min(LogitsProjection.batchRows, slice.tokens.count - first)
            projection.take(
                workspace.hidden, row: firstRow + first, at: 0, rows: count, epsilon: workspace.normEpsilon,
                compute: compute)
            try project(rows: count, compute: compute, group: group)
            guard answers else { continue }
            for row in 0..<count {
                do throws(InferenceError) { try logits.checkFinite(row: row, count: vocabularySize) } catch {
                    problem = problem ?? error
                }
                digest.append(logits, row: row, count: vocabularySize)
                let summary = compute.summarise(logits, row: row, count: vocabularySize)
                if first + row < targets.count {
                    let logit = logits[row, Int(targets[first + row])]
                    score.targetLogProbabilities.append(summary.logProbability(ofLogit: logit))
                }
                score.top.append(sampler.top(topCount, logits, row: row, summary: summary, compute: compute))
            }
        }
        if let problem { throw problem }
        guard answers else { return score }
        digests[slice.sequence] = digest
        score.logitsDigest = digest.bytes
        return score
    }

    private mutating func project(
        rows: Int, compute: borrowing Compute, group: RankGroup
    ) throws(InferenceError) {
        do throws(ExchangeError) {
            try projection.compute(rows: rows, into: &logits, compute: compute, group: group)
        } catch {
            throw .exchange(error)
        }
    }
}
