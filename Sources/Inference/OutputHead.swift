import Checkpoints
import Kernels
import Transport

/// The final norm, the language-model head and the sampler: what the last stage has on top of its layers.
struct OutputHead: ~Copyable {
    private let norm: Tensor  // [1 × hidden]
    private let matrix: PackedMatrix  // [vocabulary × hidden]
    private let vocabularySize: Int
    private var normed: Activations  // [batch × hidden]
    private var logits: Tensor  // [batch × vocabulary]
    private var sampler: Sampler
    private var digests: [SequenceID: LogitsDigest] = [:]

    /// Rows whose logits are computed together.
    private static let batchRows = 16

    init(_ weights: WeightPreparation) throws(KernelError) {
        let model = weights.model
        let configuration = model.configuration
        let norm = try model.vector(model.outputNorm)
        let matrix = try weights.packedHead()
        let vocabularySize = configuration.vocabularySize
        let normed = try Activations(rows: Self.batchRows, columns: configuration.hiddenSize)
        let logits = try Tensor(rows: Self.batchRows, columns: (vocabularySize + 15) / 16 * 16)
        let sampler = try Sampler(vocabularySize: vocabularySize)
        self.vocabularySize = vocabularySize
        self.norm = norm
        self.matrix = matrix
        self.normed = normed
        self.logits = logits
        self.sampler = sampler
    }

    var byteCount: Int { matrix.byteCount + norm.columns * 4 }

    /// Drops what is kept of a sequence.
    mutating func forget(_ sequence: SequenceID) {
        digests.removeValue(forKey: sequence)
        sampler.forget(sequence)
    }

    /// Answers every slice of the step from the hidden states in the workspace.
    mutating func answer(
        _ step: Step, workspace: inout Workspace, compute: borrowing Compute, epsilon: Float
    ) throws(InferenceError) -> StepResult {
        let sampledRows = try sample(step, workspace: workspace, compute: compute, epsilon: epsilon)
        var results: [SliceResult] = []
        var firstRow = 0
        for (index, slice) in step.slices.enumerated() {
            let output: SliceResult.Output
            switch slice.output {
            case .none:
                sampler.record(slice, promptLength: nil)
                output = .none
            case .sample: output = .sampled(sampledRows[index]!)
            case .score(let targets, let topCount):
                output = .scored(
                    try score(
                        slice, firstRow: firstRow, targets: targets, topCount: topCount, workspace: workspace,
                        compute: compute, epsilon: epsilon))
            }
            results.append(SliceResult(sequence: slice.sequence, output: output))
            firstRow += slice.tokens.count
        }
        return StepResult(id: step.id, slices: results)
    }

    /// The choices of all slices that ask for one, by index of slice.
    private mutating func sample(
        _ step: Step, workspace: borrowing Workspace, compute: borrowing Compute, epsilon: Float
    ) throws(InferenceError) -> [Int: TokenChoice] {
        var wanted: [(slice: Int, row: Int)] = []
        var row = 0
        for (index, slice) in step.slices.enumerated() {
            row += slice.tokens.count
            if case .sample = slice.output { wanted.append((index, row - 1)) }
        }
        var choices: [Int: TokenChoice] = [:]
        for first in stride(from: 0, to: wanted.count, by: Self.batchRows) {
            let batch = wanted[first..<min(first + Self.batchRows, wanted.count)]
            for (target, item) in batch.enumerated() {
                compute.normalise(
                    workspace.hidden, firstRow: item.row, rows: 1, weight: norm, epsilon: epsilon, into: &normed,
                    firstOutputRow: target)
            }
            compute.multiply(matrix, normed, rows: batch.count, into: &logits)
            for (target, item) in batch.enumerated() {
                let slice = step.slices[item.slice]
                guard case .sample(let parameters, let promptLength) = slice.output else { continue }
                sampler.record(slice, promptLength: promptLength)
                choices[item.slice] = try sampler.choose(
                    &logits, row: target, slice: slice, parameters: parameters, promptLength: promptLength,
                    compute: compute)
            }
        }
        return choices
    }

    private mutating func score(
        _ slice: SequenceSlice, firstRow: Int, targets: [Int32], topCount: Int, workspace: borrowing Workspace,
        compute: borrowing Compute, epsilon: Float
    ) throws(InferenceError) -> SliceScore {
        guard targets.count == slice.tokens.count || targets.count + 1 == slice.tokens.count,
            targets.allSatisfy({ (0..<Int32(vocabularySize)).contains($0) })
        else {
            throw .validation(
                "\(targets.count) targets for \(slice.tokens.count) tokens, or a target outside the vocabulary")
        }
        var score = SliceScore(targetLogProbabilities: [], top: [], logitsDigest: [])
        var digest = digests[slice.sequence] ?? LogitsDigest()
        for first in stride(from: 0, to: slice.tokens.count, by: Self.batchRows) {
            let count = min(Self.batchRows, slice.tokens.count - first)
            compute.normalise(
                workspace.hidden, firstRow: firstRow + first, rows: count, weight: norm, epsilon: epsilon, into: &normed
            )
            compute.multiply(matrix, normed, rows: count, into: &logits)
            for row in 0..<count {
                try logits.checkFinite(row: row, count: vocabularySize)
                digest.append(logits, row: row, count: vocabularySize)
                let summary = compute.summarise(logits, row: row, count: vocabularySize)
                if first + row < targets.count {
                    let logit = logits[row, Int(targets[first + row])]
                    score.targetLogProbabilities.append(summary.logProbability(ofLogit: logit))
                }
                score.top.append(sampler.top(topCount, logits, row: row, summary: summary, compute: compute))
            }
        }
        digests[slice.sequence] = digest
        score.logitsDigest = digest.bytes
        return score
    }
}
