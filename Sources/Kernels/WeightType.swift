import CKernels

/// How weights are stored, in checkpoints and, reordered, in tiles.
public enum WeightType: CaseIterable, Sendable {
    case f32, f16, bf16
    /// Blocks of 32: a float16 scale and 32 signed bytes.
    case q8_0
    /// Blocks of 32: a float16 scale and 32 unsigned nibbles, less 8.
    case q4_0
    /// Blocks of 32: float16 scale and minimum, and 32 unsigned nibbles.
    case q4_1

    var code: ryz_layout {
        switch self {
        case .f32: RYZ_F32
        case .f16: RYZ_F16
        case .bf16: RYZ_BF16
        case .q8_0: RYZ_Q8_0
        case .q4_0: RYZ_Q4_0
        case .q4_1: RYZ_Q4_1
        }
    }

    /// Columns come in whole blocks of this many, whatever the type.
    public static let blockColumns = 32

    /// Bytes of one row of `columns` weights.
    public func rowByteCount(columns: Int) -> Int {
        columns / Self.blockColumns * ryz_source_block_bytes(code)
    }
}

/// A matrix in a mapped file, or a part of one: row-major, in the blocks of its type.
public struct WeightSource {
    /// What the errors call it, such as `blk.0.attn_q.weight`.
    public let name: String
    public let file: MappedFile
    public let byteOffset: Int
    public let type: WeightType
    public private(set) var rows: Int
    public private(set) var columns: Int
    /// Columns of the whole matrix, and where the part begins in it.
    private let storedColumns: Int
    private var firstRow = 0
    private var firstColumn = 0

    /// Throws if the matrix does not lie in the file or is not made of whole blocks.
    public init(
        name: String, file: MappedFile, byteOffset: Int, type: WeightType, rows: Int, columns: Int
    ) throws(KernelError) {
        guard rows > 0, columns > 0, columns % WeightType.blockColumns == 0 else {
            throw .shape("\(name): \(rows) × \(columns) weights; columns must be a multiple of 32 for the kernels")
        }
        let (byteCount, overflow) = rows.multipliedReportingOverflow(by: type.rowByteCount(columns: columns))
        guard !overflow, byteOffset >= 0, byteCount <= file.byteCount, byteOffset <= file.byteCount - byteCount else {
            throw .shape("\(name): its bytes lie outside \(file.path)")
        }
        self.name = name
        self.file = file
        self.byteOffset = byteOffset
        self.type = type
        self.rows = rows
        self.columns = columns
        storedColumns = columns
    }

    /// The part of some rows and columns; these begin and end with whole blocks.
    public func part(rows: Range<Int>, columns: Range<Int>) throws(KernelError) -> WeightSource {
        try checkPart(name, rows: rows, columns: columns, of: (self.rows, self.columns))
        var part = self
        (part.rows, part.columns) = (rows.count, columns.count)
        (part.firstRow, part.firstColumn) = (firstRow + rows.lowerBound, firstColumn + columns.lowerBound)
        return part
    }

    /// Packs it into tiles, and tells the system that the file's pages need not stay: the packed copy is what runs.
    func pack(into tiles: UnsafeMutableRawPointer) {
        ryz_pack(
            type.code, file.base + byteOffset, storedColumns, firstRow, rows, firstColumn / WeightType.blockColumns,
            (firstColumn + columns) / WeightType.blockColumns, tiles)
        release()
    }

    /// Tells the system that the file's pages need not stay in this process.
    func release() {
        let rowByteCount = type.rowByteCount(columns: storedColumns)
        let start = byteOffset + firstRow * rowByteCount
        file.adviseDontNeed(start..<start + rows * rowByteCount)
    }

    /// Decodes one row to float32 into a row of `tensor`, which has as many columns. Only of a part with whole rows.
    public func decode(row: Int, into tensor: inout Tensor, row target: Int) {
        precondition((0..<rows).contains(row) && tensor.columns == columns && columns == storedColumns)
        ryz_decode_row(type.code, file.base + byteOffset, storedColumns, firstRow + row, tensor.pointer(target))
    }
}

/// Throws unless a part is one that can be packed: not empty, inside the matrix, and of whole blocks of columns.
func checkPart(
    _ name: String, rows: Range<Int>, columns: Range<Int>, of whole: (rows: Int, columns: Int)
) throws(KernelError) {
    guard rows.lowerBound >= 0, rows.upperBound <= whole.rows, !rows.isEmpty, columns.lowerBound >= 0,
        columns.upperBound <= whole.columns, !columns.isEmpty, columns.lowerBound % WeightType.blockColumns == 0,
        columns.count % WeightType.blockColumns == 0
    else {
        throw .shape(
            "\(name): rows \(rows) and columns \(columns) of \(whole.rows) × \(whole.columns) can't be cut out; columns go "
                + "in blocks of \(WeightType.blockColumns)")
    }
}
