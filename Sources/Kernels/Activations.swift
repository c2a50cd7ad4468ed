import CKernels

/// Rows of activations as matrices read them: float32, and int8 with a scale for each block of 32, each row or each segment
/// of one.
///
/// The quantised form follows d = max|x| / 127 over such a group, q = round(x / d) to nearest, ties to even.
public struct Activations: ~Copyable {
    /// How many values share a scale.
    public enum Grouping: Equatable, Sendable {
        /// Blocks of 32.
        case blocks
        /// A whole row: what ternary weights are multiplied with, as BitNet's reference has it.
        case rows
        /// So many columns of a row, a multiple of 32; the last may have fewer. For ternary weights of which several nodes
        /// have some columns: they need not agree on a scale.
        case segments(columns: Int)
    }

    public let rows: Int
    public let columns: Int
    public let grouping: Grouping
    /// Scales of each row.
    let groupCount: Int
    /// Bytes from one quantised row to the next.
    private let stride: Int
    /// `[rows × columns]`
    var values: Tensor
    private let quantised: Memory
    private let groups: Memory

    /// Zeroes. Columns are a multiple of 32.
    public init(rows: Int, columns: Int, grouping: Grouping = .blocks) throws(KernelError) {
        guard columns % 32 == 0 else { throw .shape("\(columns) activations; the kernels need a multiple of 32") }
        let values = try Tensor(rows: rows, columns: columns)
        let (groupCount, stride): (Int, Int)
        switch grouping {
        case .blocks: (groupCount, stride) = (columns / 32, columns)
        case .rows: (groupCount, stride) = (1, columns)
        case .segments(let width):
            guard width > 0, width % 32 == 0 else {
                throw .shape("segments of \(width) activations; the kernels need a multiple of 32")
            }
            groupCount = (columns + width - 1) / width
            stride = groupCount * ryz_segment_stride(width)
        }
        // Kernels may read, without using it, a little of what stands behind the last row.
        let quantised = try Memory(byteCount: rows * stride + 64, purpose: "quantised activations")
        let groups = try Memory(byteCount: rows * (groupCount * 12 + 4), purpose: "scales of activations")
        self.values = values
        self.quantised = quantised
        self.groups = groups
        self.grouping = grouping
        self.groupCount = groupCount
        self.stride = stride
        self.rows = rows
        self.columns = columns
    }

    /// As the kernels see them, from `row` on.
    func view(from row: Int = 0) -> ryz_activations {
        let scales = groups.floats()
        var segmentColumns = 0
        if case .segments(let columns) = grouping { segmentColumns = columns }
        return ryz_activations(
            values: UnsafePointer(values.pointer(row)),
            quantised: quantised.base.assumingMemoryBound(to: Int8.self) + row * stride,
            scales: scales + row * groupCount,
            sums: scales + (rows + row) * groupCount,
            counts: (groups.base + (2 * rows + row) * groupCount * 4).assumingMemoryBound(to: Int32.self),
            factors: scales + 3 * rows * groupCount + row, columns: columns, groups: groupCount, stride: stride,
            segment_columns: segmentColumns, by_rows: grouping == .rows)
    }

    /// The float32 values of one row, for tests.
    public func values(row: Int) -> [Float] { values.values(row: row) }

    /// Sets the float32 values of one row; `Compute.quantise` makes the rest of it.
    public mutating func assign(row: Int, _ newValues: [Float]) {
        precondition(newValues.count == columns)
        for (column, value) in newValues.enumerated() { values[row, column] = value }
    }

    /// Sets one float32 value.
    mutating func assign(row: Int, column: Int, _ value: Float) { values[row, column] = value }
}
