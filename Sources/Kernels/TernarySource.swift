import CKernels

/// How checkpoints store ternary weights: −1, 0 and 1, with one scale for a whole matrix.
public enum TernaryForm: CaseIterable, Sendable {
    /// Hugging Face's BitNet: a byte holds four rows, a quarter of the rows apart.
    case quarters
    /// GGUF: 1.69 bits, blocks of 256, five weights to a byte.
    case tq1_0
    /// GGUF: 2.06 bits, blocks of 256.
    case tq2_0
    /// bitnet.cpp's GGUF: two bits, groups of 128.
    case i2_s

    var code: ryz_ternary_source {
        switch self {
        case .quarters: RYZ_TERNARY_QUARTERS
        case .tq1_0: RYZ_TERNARY_TQ1_0
        case .tq2_0: RYZ_TERNARY_TQ2_0
        case .i2_s: RYZ_TERNARY_I2_S
        }
    }
}

/// A ternary matrix in a mapped file, or one of floats that is made ternary as it is read.
public struct TernarySource {
    private enum Kind {
        case packed(TernaryForm, MappedFile, byteOffset: Int, byteCount: Int)
        case floats(WeightSource, reciprocal: Float)
    }

    /// What the errors call it, such as `model.layers.0.mlp.up_proj.weight`.
    public let name: String
    public private(set) var rows: Int
    public private(set) var columns: Int
    /// What products with −1, 0 and 1 are multiplied by.
    public let scale: Float
    private let kind: Kind
    /// The whole matrix, and where the part begins in it.
    private let stored: (rows: Int, columns: Int)
    private var firstRow = 0
    private var firstColumn = 0

    /// Throws if the matrix does not lie in the file or has a shape that the form can't have.
    public init(
        name: String, file: MappedFile, byteOffset: Int, form: TernaryForm, rows: Int, columns: Int, scale: Float
    ) throws(KernelError) {
        try Self.check(name, rows: rows, columns: columns, scale: scale)
        guard rows.multipliedReportingOverflow(by: columns).overflow == false else {
            throw .shape("\(name): \(rows) × \(columns) weights are too many")
        }
        let byteCount = ryz_ternary_source_bytes(form.code, rows, columns)
        guard byteCount > 0 else { throw .shape("\(name): the form \(form) has no \(rows) × \(columns) weights") }
        guard byteOffset >= 0, byteCount <= file.byteCount, byteOffset <= file.byteCount - byteCount else {
            throw .shape("\(name): its bytes lie outside \(file.path)")
        }
        (self.name, self.rows, self.columns, self.scale) = (name, rows, columns, scale)
        kind = .packed(form, file, byteOffset: byteOffset, byteCount: byteCount)
        stored = (rows, columns)
    }

    /// The part of some rows and columns; these are multiples of 32.
    public func part(rows: Range<Int>, columns: Range<Int>) throws(KernelError) -> TernarySource {
        try checkPart(name, rows: rows, columns: columns, of: (self.rows, self.columns))
        var part = self
        (part.rows, part.columns) = (rows.count, columns.count)
        (part.firstRow, part.firstColumn) = (firstRow + rows.lowerBound, firstColumn + columns.lowerBound)
        return part
    }

    /// Makes the weights of a float matrix ternary (Ma et al., The Era of 1-bit LLMs, 2024): with the mean of |w| over
    /// the matrix as scale, round(w / scale) between −1 and 1.
    public init(quantising source: WeightSource) throws(KernelError) {
        let mean = Float(try Self.meanMagnitude(source))
        try Self.check(source.name, rows: source.rows, columns: source.columns, scale: mean)
        // Multiplied by a reciprocal that does not fall below 10⁻⁵, as transformers' WeightQuant does it.
        let reciprocal = 1 / max(mean, 1e-5)
        (name, rows, columns, scale) = (source.name, source.rows, source.columns, 1 / reciprocal)
        kind = .floats(source, reciprocal: reciprocal)
        stored = (source.rows, source.columns)
    }

    private static func check(_ name: String, rows: Int, columns: Int, scale: Float) throws(KernelError) {
        guard rows > 0, columns > 0, columns % 32 == 0, columns <= 1 << 18 else {
            throw .shape("\(name): \(rows) × \(columns) weights; columns must be a multiple of 32, up to 262144")
        }
        guard scale.isFinite else { throw .shape("\(name): its scale is \(scale)") }
    }

    private static func meanMagnitude(_ source: WeightSource) throws(KernelError) -> Double {
        var values = try Tensor(rows: 1, columns: source.columns)
        var sum = 0.0
        for row in 0..<source.rows {
            source.decode(row: row, into: &values, row: 0)
            var rowSum = 0.0
            let pointer = values.pointer(0)
            for column in 0..<source.columns { rowSum += Double(abs(pointer[column])) }
            sum += rowSum
        }
        return sum / Double(source.rows * source.columns)
    }

    /// Decodes `count` rows from `first` on into `weights`, `[count × columns]`.
    func decode(rows first: Int, count: Int, into weights: inout [Int8]) throws(KernelError) {
        precondition(first >= 0 && first + count <= rows && weights.count >= count * columns)
        switch kind {
        case .packed(let form, let file, let byteOffset, _):
            for index in 0..<count {
                let wrong = withUnsafeTemporaryAllocation(of: Int8.self, capacity: stored.columns) { row in
                    let wrong = ryz_decode_ternary_row(
                        form.code, file.base + byteOffset, stored.rows, stored.columns, firstRow + first + index, scale,
                        row.baseAddress!)
                    weights.withUnsafeMutableBufferPointer { buffer in
                        (buffer.baseAddress! + index * columns).update(
                            from: row.baseAddress! + firstColumn, count: columns)
                    }
                    return wrong
                }
                guard wrong == 0 else {
                    throw .shape(
                        "\(name): row \(firstRow + first + index) is not −1, 0 and 1 with one scale for the matrix (\(wrong) times); fetch a ternary model"
                    )
                }
            }
        case .floats(let source, let reciprocal):
            var values = try Tensor(rows: 1, columns: stored.columns)
            for index in 0..<count {
                source.decode(row: firstRow + first + index, into: &values, row: 0)
                for column in 0..<columns {
                    let rounded = (values[0, firstColumn + column] * reciprocal).rounded(.toNearestOrEven)
                    weights[index * columns + column] = Int8(max(-1, min(1, rounded.isNaN ? 0 : rounded)))
                }
            }
        }
    }

    /// Tells the system that the file's pages need not stay in this process.
    func release() {
        switch kind {
        case .packed(_, let file, let byteOffset, let byteCount):
            file.adviseDontNeed(byteOffset..<byteOffset + byteCount)
        case .floats(let source, _): source.release()
        }
    }
}

/// How ternary weights lie in tiles. All give the same bits; which is faster depends on the processor.
public enum TernaryLayout: String, CaseIterable, Sendable {
    /// Two bits to a weight.
    case twoBits = "t2"
    /// Five weights to a byte, which is a fraction whose digits they are: 1.6 bits.
    case fiveToAByte = "t5"
    /// Five weights to a byte, whose lower six bits index a table: the bytes of `fiveToAByte`, written in another way.
    case fiveToAnIndex = "i5"
    /// Three weights to an index of five bits, whose sums are looked up: 1.67 bits.
    case threeToAnIndex = "l3"

    /// Those that may be the fastest, beginning with the one that usually is.
    public static func candidates(on instructionSet: InstructionSet) -> [TernaryLayout] {
        let usual = preferred(on: instructionSet)
        // Only there 64 bytes are looked up in one operation.
        return [usual]
            + allCases.filter { $0 != usual && ($0 != .fiveToAnIndex || instructionSet == .avx512) }
    }

    /// The one that is usually faster.
    public static func preferred(on instructionSet: InstructionSet) -> TernaryLayout {
        instructionSet == .avx512 ? .fiveToAnIndex : .twoBits
    }

    var code: ryz_layout {
        switch self {
        case .twoBits: RYZ_T2
        case .fiveToAByte: RYZ_T5
        case .fiveToAnIndex: RYZ_I5
        case .threeToAnIndex: RYZ_L3
        }
    }
}
