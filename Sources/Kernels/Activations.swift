import CKernels

/// Rows of activations as matrices read them: float32, and int8 with a scale for each block of 32 or for each row.
///
/// The quantised form follows d = max|x| / 127 over a block or row, q = round(x / d) to nearest, ties to even.
public struct Activations: ~Copyable {
    /// How many values share a scale.
    public enum Grouping: Sendable {
        /// Blocks of 32.
        case blocks
        /// A whole row: what ternary weights are multiplied with, as BitNet's reference has it.
        case rows
    }

    public let rows: Int
    public let columns: Int
    public let grouping: Grouping
    /// Scales of each row.
    let groupCount: Int
    /// `[rows × columns]`
    var values: Tensor
    private let quantised: Memory
    private let groups: Memory

    /// Zeroes. Columns are a multiple of 32.
    public init(rows: Int, columns: Int, grouping: Grouping = .blocks) throws(KernelError) {
        guard columns % 32 == 0 else { throw .shape("\(columns) activations; the kernels need a multiple of 32") }
        let values = try Tensor(rows: rows, columns: columns)
        let groupCount = grouping == .rows ? 1 : columns / 32
        // Kernels may read, without using it, a little of what stands behind the last row.
        let quantised = try Memory(byteCount: rows * columns + 64, purpose: "quantised activations")
        let groups = try Memory(byteCount: rows * groupCount * 12, purpose: "scales of activations")
        self.values = values
        self.quantised = quantised
        self.groups = groups
        self.grouping = grouping
        self.groupCount = groupCount
        self.rows = rows
        self.columns = columns
    }

    /// As the kernels see them, from `row` on.
    func view(from row: Int = 0) -> ryz_activations {
        let scales = groups.floats()
        return ryz_activations(
            values: UnsafePointer(values.pointer(row)),
            quantised: quantised.base.assumingMemoryBound(to: Int8.self) + row * columns,
            scales: scales + row * groupCount,
            sums: scales + (rows + row) * groupCount,
            counts: (groups.base + (2 * rows + row) * groupCount * 4).assumingMemoryBound(to: Int32.self),
            columns: columns, groups: groupCount, by_rows: grouping == .rows)
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
