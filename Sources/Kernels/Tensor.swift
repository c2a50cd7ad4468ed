/// Float32 values `[rows × columns]`, row after row.
public struct Tensor: ~Copyable {
    public let rows: Int
    public let columns: Int
    let memory: Memory

    /// Zeroes. Columns are a multiple of 16, the width of the kernels.
    public init(rows: Int, columns: Int) throws(KernelError) {
        guard rows > 0, columns > 0, columns % 16 == 0 else {
            throw .shape("a tensor of \(rows) × \(columns): columns must be a positive multiple of 16")
        }
        memory = try Memory(byteCount: rows * columns * 4, purpose: "a tensor of \(rows) × \(columns)")
        self.rows = rows
        self.columns = columns
    }

    /// One value. Bounds are checked.
    public subscript(row: Int, column: Int) -> Float {
        get { pointer(row)[checked(column)] }
        set { pointer(row)[checked(column)] = newValue }
    }

    /// The bytes of the first `rows` rows, in the machine's (little-endian) order.
    public func withBytes<Result, Failure: Error>(
        rows count: Int, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition((0...rows).contains(count))
        return try body(RawSpan(_unsafeStart: UnsafeRawPointer(memory.base), byteCount: count * columns * 4))
    }

    /// The bytes of some columns of a row.
    public func withBytes<Result, Failure: Error>(
        row: Int, columns range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns)
        return try body(
            RawSpan(_unsafeStart: UnsafeRawPointer(pointer(row) + range.lowerBound), byteCount: range.count * 4))
    }

    /// Copies some columns of a row from bytes, of which there are as many.
    public mutating func assign(row: Int, columns range: Range<Int>, _ bytes: RawSpan) {
        precondition(range.lowerBound >= 0 && range.upperBound <= columns && bytes.byteCount == range.count * 4)
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            UnsafeMutableRawPointer(pointer(row) + range.lowerBound).copyMemory(from: start, byteCount: source.count)
        }
    }

    /// Copies rows from bytes, from row 0 on. `bytes` must be whole rows and no more than there are.
    public mutating func assign(_ bytes: RawSpan) {
        precondition(bytes.byteCount % (columns * 4) == 0 && bytes.byteCount <= memory.byteCount)
        bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { memory.base.copyMemory(from: start, byteCount: source.count) }
        }
    }

    /// Copies one row of another tensor of as many columns.
    public mutating func assign(row: Int, from source: borrowing Tensor, row sourceRow: Int) {
        precondition(columns == source.columns)
        pointer(row).update(from: source.pointer(sourceRow), count: columns)
    }

    /// One row as an array, for tests and tools.
    public func values(row: Int) -> [Float] { Array(UnsafeBufferPointer(start: pointer(row), count: columns)) }

    /// The start of a row; bounds are checked.
    func pointer(_ row: Int) -> UnsafeMutablePointer<Float> {
        precondition(row >= 0 && row < rows)
        return memory.floats(at: row * columns)
    }

    private func checked(_ column: Int) -> Int {
        precondition(column >= 0 && column < columns)
        return column
    }
}
