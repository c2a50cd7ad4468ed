import Checkpoints
import Collectives
import Kernels
import Transport

/// The final norm and this rank's rows of the language-model head. Rank 0 gets the logits of all.
struct LogitsProjection: ~Copyable {
    private let norm: Tensor  // [1 × hidden]
    private let matrix: PackedMatrix?  // [this rank's tokens × hidden]; nil if it has none
    /// The tokens of each rank.
    private let vocabulary: [Range<Int>]
    private var normed: Activations  // [batch × hidden]
    private var part: Tensor?  // [batch × this rank's tokens]; nil if it is alone

    /// Rows whose logits are computed together.
    static let batchRows = 16

    init(_ weights: WeightPreparation, vocabulary: [Range<Int>], group: RankGroup) throws(KernelError) {
        let held = vocabulary[group.rank]
        let norm = try weights.model.vector(weights.model.outputNorm)
        let matrix: PackedMatrix? = held.isEmpty ? nil : try weights.packedHead(rows: held)
        let normed = try Activations(rows: Self.batchRows, columns: weights.model.configuration.hiddenSize)
        let part: Tensor? =
            group.isAlone
            ? nil : try Tensor(rows: Self.batchRows, columns: LogitsProjection.padded(max(1, held.count)))
        self.norm = norm
        self.matrix = matrix
        self.vocabulary = vocabulary
        self.normed = normed
        self.part = part
    }

    /// Columns of a tensor for so many logits.
    static func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

    var byteCount: Int {
        switch matrix {
        case .none: norm.columns * 4
        case .some(let matrix): matrix.byteCount + norm.columns * 4
        }
    }

    func foresee(by compute: borrowing Compute) {
        switch matrix {
        case .none: break
        case .some(let matrix): compute.foresee(matrix)
        }
    }

    /// Puts a row of hidden states at `index` of the next batch.
    mutating func take(
        _ hidden: borrowing Tensor, row: Int, at index: Int, rows: Int = 1, epsilon: Float, compute: borrowing Compute
    ) {
        compute.normalise(
            hidden, firstRow: row, rows: rows, weight: norm, epsilon: epsilon, into: &normed, firstOutputRow: index)
    }

    /// The logits of the rows taken, `[rows × vocabulary]`. Only rank 0 has them afterwards, but all must call it.
    mutating func compute(
        rows: Int, into logits: inout Tensor, compute: borrowing Compute, group: RankGroup
    ) throws(ExchangeError) {
        guard !group.isAlone else {
            compute.multiply(matrix!, normed, rows: rows, into: &logits)
            return
        }
        switch matrix {
        case .none: break
        case .some(let matrix): compute.multiply(matrix, normed, rows: rows, into: &part!)
        }
        try group.gather(part!, rows: rows, columns: vocabulary, into: &logits)
    }
}
