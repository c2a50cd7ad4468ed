import CKernels

/// Rows of activations as matrices read them: float32, and int8 in blocks of 32 with a scale each.
///
/// The quantised form follows d = max|x| / 127 over a block, q = round(x / d) to nearest, ties to even.
public struct Activations: ~Copyable {
    public let rows: Int
    public let columns: Int
    /// `[rows × columns]`
    var values: Tensor
    private let quantised: Memory
    private let blocks: Memory

    /// Zeroes. Columns are a multiple of 32.
    public init(rows: Int, columns: Int) throws(KernelError) {
        guard columns % 32 == 0 else { throw .shape("\(columns) activations; the kernels need a multiple of 32") }
        let values = try Tensor(rows: rows, columns: columns)
        let quantised = try Memory(byteCount: rows * columns, purpose: "quantised activations")
        let blocks = try Memory(byteCount: rows * columns / 32 * 12, purpose: "scales of activations")
        self.values = values
        self.quantised = quantised
        self.blocks = blocks
        self.rows = rows
        self.columns = columns
    }

    /// As the kernels see them, from `row` on.
    func view(from row: Int = 0) -> ryz_activations {
        let blockCount = columns / 32
        let scales = blocks.floats()
        return ryz_activations(
            values: UnsafePointer(values.pointer(row)),
            quantised: quantised.base.assumingMemoryBound(to: Int8.self) + row * columns,
            scales: scales + row * blockCount,
            sums: scales + (rows + row) * blockCount,
            counts: (blocks.base + (2 * rows + row) * blockCount * 4).assumingMemoryBound(to: Int32.self),
            columns: columns)
    }

    /// The float32 values of one row, for tests.
    public func values(row: Int) -> [Float] { values.values(row: row) }

    /// Sets the float32 values of one row; `Compute.quantise` makes the rest of it.
    public mutating func assign(row: Int, _ newValues: [Float]) {
        precondition(newValues.count == columns)
        for (column, value) in newValues.enumerated() { values[row, column] = value }
    }
}
