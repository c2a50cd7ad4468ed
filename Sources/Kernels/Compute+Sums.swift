import CKernels

/// Products and norms of which each rank of a stage computes a part. Together they give the bits that one node gives
/// alone.
extension Compute {
    /// The first part of a norm in front of a ternary product: multiplies the activations by their weights, in their
    /// place, and takes the sums of the squares before that, by segments, and the largest magnitude of each row after it.
    ///
    /// - Parameters:
    ///   - weight: `[1 × columns]`, of the columns that are here.
    ///   - segmentColumns: a multiple of 16; the last segment may have fewer.
    ///   - squares: sums that get the float32 sums of squares behind the start of `column`, from place `firstSegment` on.
    ///   - maxima: a `.maximum` buffer `[rows × 1]`.
    public func weigh(
        _ activations: inout Activations, rows: Int, weight: borrowing Tensor, segmentColumns: Int,
        squares: inout SumBuffer, column: Int, firstSegment: Int, maxima: inout SumBuffer
    ) {
        precondition(weight.columns == activations.columns && rows > 0 && rows <= activations.rows)
        precondition(segmentColumns > 0 && segmentColumns % 16 == 0)
        let segmentCount = (activations.columns + segmentColumns - 1) / segmentColumns
        precondition(rows <= squares.rows)
        precondition(maxima.kind == .maximum && rows <= maxima.rows && maxima.columns == 1)
        ryz_weigh(
            raw, activations.values.pointer(0), weight.pointer(0), rows, activations.columns, segmentColumns,
            squares.floats(column: column, at: firstSegment, count: segmentCount), squares.floatStride,
            maxima.floats())
    }

    /// The first part where there is no norm: the largest magnitude of each row, or 10⁻⁵ where that is larger.
    public func measure(_ activations: borrowing Activations, rows: Int, maxima: inout SumBuffer) {
        precondition(rows > 0 && rows <= activations.rows && rows <= maxima.rows)
        precondition(maxima.kind == .maximum && maxima.columns == 1)
        ryz_measure(raw, activations.values.pointer(0), rows, activations.columns, maxima.floats())
    }

    /// The second part: rounds the activations to the grid that the largest magnitudes over all ranks give.
    public func quantise(_ activations: inout Activations, rows: Int, within maxima: borrowing SumBuffer) {
        precondition(activations.grouping == .rows && rows <= activations.rows && rows <= maxima.rows)
        precondition(maxima.kind == .maximum && maxima.columns == 1)
        ryz_quantise_within(raw, activations.view(), rows, maxima.floats())
    }

    /// The third part: multiplies the scales by the norm's factor.
    ///
    /// - Parameters:
    ///   - squares: has the sums of all segments, in order, from the start of `column` on.
    ///   - normColumns: columns of the whole norm, over all ranks.
    public func applyNorm(
        to activations: inout Activations, rows: Int, squares: borrowing SumBuffer, column: Int, segmentCount: Int,
        normColumns: Int, epsilon: Float
    ) {
        precondition(activations.grouping != .blocks && rows <= activations.rows && rows <= squares.rows)
        precondition(segmentCount > 0)
        ryz_apply_norm(
            activations.view(), rows, squares.floats(column: column, count: segmentCount), squares.floatStride,
            segmentCount, normColumns, epsilon)
    }

    /// sums = the integers that stand for matrix · input, over the columns that are here.
    ///
    /// - Parameter sums: of the matrix's kind of sums, at least as wide as it has rows; what is behind stays.
    public func multiply(
        _ matrix: borrowing PackedMatrix, _ input: borrowing Activations, rows: Int, into sums: inout SumBuffer
    ) {
        precondition(matrix.columns == input.columns && matrix.rows <= sums.columns && matrix.takes(input))
        precondition(rows > 0 && rows <= input.rows && rows <= sums.rows && matrix.sumKind(times: input) == sums.kind)
        matrix.withProducts(
            y: sums.pointer(), stride: sums.columns, elementByteCount: sums.kind.byteCount, mode: RYZ_SUMS
        ) { products, count in
            ryz_multiply(raw, products, count, input.view(), rows)
        }
    }

    /// output += what the sums of all ranks stand for: the bits of `multiply(_:_:rows:into:adding:)` over all columns.
    public func add(
        _ sums: borrowing SumBuffer, of matrix: borrowing PackedMatrix, times input: borrowing Activations, rows: Int,
        to output: inout Tensor
    ) {
        precondition(matrix.rows <= sums.columns && matrix.rows == output.columns)
        precondition(rows > 0 && rows <= sums.rows && rows <= output.rows && matrix.takes(input))
        precondition(matrix.sumKind(times: input) == sums.kind)
        let view = input.view()
        let factors: UnsafeMutablePointer<Float>? =
            switch input.grouping {
            case .blocks: nil
            case .rows: view.scales
            case .segments: view.factors
            }
        ryz_add_sums(
            raw, sums.kind == .exact, sums.pointer(), sums.columns, factors, matrix.matrix.scale, output.pointer(0),
            rows, matrix.rows)
    }
}

extension PackedMatrix {
    /// What its products with such activations are before they become floats; nil if they have no such form: without
    /// segments, sums of floats have one order and cannot be shared.
    public func sumKind(times activations: borrowing Activations) -> SumBuffer.Kind? {
        switch activations.grouping {
        case .rows: .exact
        case .segments: .fixedPoint
        case .blocks: hasSegments ? .fixedPoint : nil
        }
    }
}
