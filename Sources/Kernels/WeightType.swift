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

/// A matrix in a mapped file: row-major, in the blocks of its type.
public struct WeightSource {
    /// What the errors call it, such as `blk.0.attn_q.weight`.
    public let name: String
    public let file: MappedFile
    public let byteOffset: Int
    public let type: WeightType
    public let rows: Int
    public let columns: Int

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
    }

    var base: UnsafeRawPointer { file.base + byteOffset }
    var byteCount: Int { rows * type.rowByteCount(columns: columns) }

    /// Decodes one row to float32 into a row of `tensor`, which has as many columns.
    public func decode(row: Int, into tensor: inout Tensor, row target: Int) {
        precondition((0..<rows).contains(row) && tensor.columns == columns)
        ryz_decode_row(type.code, base, columns, row, tensor.pointer(target))
    }
}
