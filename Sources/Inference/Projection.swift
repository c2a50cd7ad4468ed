import Collectives
import Kernels
import Transport

/// The way back into the residual stream: products whose inner dimension the ranks of a stage share.
///
/// What crosses between ranks are integers only, so the sums do not depend on who holds what. For ternary weights the
/// ranks first agree on the largest activation of each row, which gives the grid that all of them round to, unless each
/// segment has a grid of its own. The sums of the squares that a norm before the product needs ride along with the
/// product's own sums, since its factor scales whole rows.
struct Projection: ~Copyable {
    private let hiddenSize: Int
    // [rows × (hidden + what holds the squares of segments)]; without other ranks to send to, only the squares.
    private var sums: SumBuffer
    private var maxima: SumBuffer  // [rows × 1]
    private let squaresColumn: Int

    /// - Parameters:
    ///   - kind: of the products' sums.
    ///   - segmentCount: the most that a norm has; 0 if there are none.
    init(
        _ kind: SumBuffer.Kind, rows: Int, hiddenSize: Int, segmentCount: Int, isAlone: Bool
    ) throws(KernelError) {
        self.hiddenSize = hiddenSize
        squaresColumn = isAlone ? 0 : hiddenSize
        let sums = try SumBuffer(
            kind, rows: rows, columns: max(1, squaresColumn + SumBuffer.columns(forFloats: segmentCount, in: kind)))
        let maxima = try SumBuffer(.maximum, rows: rows, columns: 1)
        self.sums = sums
        self.maxima = maxima
    }

    /// Bytes of a row of what ranks exchange.
    var rowByteCount: Int { sums.rowByteCount }

    /// hidden += matrix · activations, or matrix · norm(activations).
    mutating func add(
        _ matrix: borrowing PackedMatrix, times activations: inout Activations, normalisedBy norm: borrowing Tensor?,
        in segments: NormSegments, rows: Int, epsilon: Float, to hidden: inout Tensor, compute: borrowing Compute,
        group: RankGroup
    ) throws(ExchangeError) {
        weigh(&activations, norm, segments, rows, compute)
        switch activations.grouping {
        case .blocks, .segments: compute.quantise(&activations, rows: rows)
        case .rows:
            try group.combine(&maxima, rows: rows)
            compute.quantise(&activations, rows: rows, within: maxima)
        }
        guard !group.isAlone else {
            applyNorm(to: &activations, norm, segments, rows, epsilon, compute)
            compute.multiply(matrix, activations, rows: rows, into: &hidden, adding: true)
            return
        }
        compute.multiply(matrix, activations, rows: rows, into: &sums)
        try group.combine(&sums, rows: rows)
        applyNorm(to: &activations, norm, segments, rows, epsilon, compute)
        compute.add(sums, of: matrix, times: activations, rows: rows, to: &hidden)
    }

    /// What of the norm comes before rounding, and what whole rows are rounded by.
    private mutating func weigh(
        _ activations: inout Activations, _ norm: borrowing Tensor?, _ segments: NormSegments, _ rows: Int,
        _ compute: borrowing Compute
    ) {
        switch norm {
        case .none: if activations.grouping == .rows { compute.measure(activations, rows: rows, maxima: &maxima) }
        case .some(let norm):
            // Other ranks' squares are added to zeroes.
            sums.clear(rows: rows, from: squaresColumn)
            compute.weigh(
                &activations, rows: rows, weight: norm, segmentColumns: segments.columns, squares: &sums,
                column: squaresColumn, firstSegment: segments.held.lowerBound, maxima: &maxima)
        }
    }

    private func applyNorm(
        to activations: inout Activations, _ norm: borrowing Tensor?, _ segments: NormSegments, _ rows: Int,
        _ epsilon: Float, _ compute: borrowing Compute
    ) {
        switch norm {
        case .none: return
        case .some:
            compute.applyNorm(
                to: &activations, rows: rows, squares: sums, column: squaresColumn, segmentCount: segments.count,
                normColumns: segments.normColumns, epsilon: epsilon)
        }
    }
}

/// The segments in which the squares of a norm are summed: the queries of a KV head, or a feed-forward block.
struct NormSegments: Sendable {
    /// Columns of a segment; the last one may have fewer.
    let columns: Int
    /// Over all ranks.
    let count: Int
    let normColumns: Int
    /// Those of this rank.
    let held: Range<Int>
}
