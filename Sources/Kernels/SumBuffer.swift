import CKernels

/// Integers `[rows × columns]` of which several nodes have a part each. They combine element by element, in any order
/// with the same result, and whole rows can be sent as they lie.
public struct SumBuffer: ~Copyable {
    /// What is kept, and how two nodes' parts combine.
    public enum Kind: Sendable {
        /// Int32, added: products of ternary weights and whole rows, which are exact.
        case exact
        /// Int64, added: sums of segments in fixed point.
        case fixedPoint
        /// The larger of two floats that are not negative.
        case maximum

        /// Bytes of an element.
        public var byteCount: Int { self == .fixedPoint ? 8 : 4 }

        var combination: ryz_combination {
            switch self {
            case .exact: RYZ_ADD_32
            case .fixedPoint: RYZ_ADD_64
            case .maximum: RYZ_MAXIMUM_32
            }
        }
    }

    public let kind: Kind
    public let rows: Int
    public let columns: Int
    private let memory: Memory

    /// Zeroes.
    public init(_ kind: Kind, rows: Int, columns: Int) throws(KernelError) {
        guard rows > 0, columns > 0 else { throw .shape("sums of \(rows) × \(columns)") }
        memory = try Memory(byteCount: rows * columns * kind.byteCount, purpose: "sums of \(rows) × \(columns)")
        self.kind = kind
        self.rows = rows
        self.columns = columns
    }

    /// Bytes of a row.
    public var rowByteCount: Int { columns * kind.byteCount }

    /// The bytes of some rows, in the machine's (little-endian) order.
    public func withBytes<Result, Failure: Error>(
        rows range: Range<Int>, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(RawSpan(_unsafeStart: UnsafeRawPointer(start(range)), byteCount: range.count * rowByteCount))
    }

    /// Combines some rows with another node's.
    ///
    /// - Parameter others: as many bytes as the rows have, aligned to an element.
    public mutating func combine(rows range: Range<Int>, with others: RawSpan) {
        precondition(others.byteCount == range.count * rowByteCount)
        others.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            ryz_combine(kind.combination, start(range), base, range.count * columns)
        }
    }

    /// Puts another node's in the place of some rows.
    public mutating func replace(rows range: Range<Int>, by others: RawSpan) {
        precondition(others.byteCount == range.count * rowByteCount)
        others.withUnsafeBytes { source in
            if let base = source.baseAddress { start(range).copyMemory(from: base, byteCount: source.count) }
        }
    }

    /// Zeroes the first `rows` rows from `column` on.
    public mutating func clear(rows count: Int, from column: Int) {
        precondition((0...rows).contains(count) && (0...columns).contains(column))
        for row in 0..<count {
            (start(row..<row + 1) + column * kind.byteCount).initializeMemory(
                as: UInt8.self, repeating: 0, count: (columns - column) * kind.byteCount)
        }
    }

    /// The start of a row, and behind it all others.
    func pointer(row: Int = 0) -> UnsafeMutableRawPointer { start(row..<rows) }

    /// Columns that hold so many float32 values, which ride along with sums: other nodes' are added to zeroes.
    public static func columns(forFloats count: Int, in kind: Kind) -> Int {
        (count * 4 + kind.byteCount - 1) / kind.byteCount
    }

    /// The `count` float32 values from one place behind the start of `column` on, in the first row.
    func floats(column: Int = 0, at place: Int = 0, count: Int = 1) -> UnsafeMutablePointer<Float> {
        let start = column * kind.byteCount / 4 + place
        precondition(column >= 0 && place >= 0 && start + count <= floatStride)
        return memory.floats(at: start)
    }

    /// Float32 values from one row to the next.
    var floatStride: Int { rowByteCount / 4 }

    private func start(_ range: Range<Int>) -> UnsafeMutableRawPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= rows)
        return memory.base + range.lowerBound * rowByteCount
    }
}
