import CKernels

/// How weights lie in tiles, in memory and in files of converted models. Raw values are the names in these files.
public enum TileLayout: String, CaseIterable, Sendable {
    case f32, f16, bf16
    case q8_0, q4_0, q4_1
    /// Eight bits with a scale for each row.
    case r8
    /// Ternary, two bits to a weight.
    case t2
    /// Ternary, five weights to a byte.
    case t5
    /// Ternary, three weights to five bits.
    case l3
    /// One to four bits in bit planes, with scale and minimum for each group of columns: see `BitPlanes`.
    case b1, b2, b3, b4

    /// The layout that weights of a type are packed in.
    public init(_ type: WeightType) {
        self =
            switch type {
            case .f32: .f32
            case .f16: .f16
            case .bf16: .bf16
            case .q8_0: .q8_0
            case .q4_0: .q4_0
            case .q4_1: .q4_1
            }
    }

    public init(_ layout: TernaryLayout) {
        self =
            switch layout {
            case .twoBits: .t2
            case .fiveToAByte: .t5
            case .threeToAnIndex: .l3
            }
    }

    /// Whether it holds −1, 0 and 1 and takes activations of one scale for each row.
    public var isTernary: Bool { self == .t2 || self == .t5 || self == .l3 }

    /// Whether groups of columns share a scale and a minimum, so that how many is to be known.
    public var hasGroups: Bool { planeBits != nil }

    /// Bits of a weight's code in bit planes; nil for other layouts.
    public var planeBits: Int? {
        switch self {
        case .b1: 1
        case .b2: 2
        case .b3: 3
        case .b4: 4
        default: nil
        }
    }

    /// Bytes of all tiles; nil for shapes that cannot be packed, and for groups that the layout cannot have.
    public func byteCount(rows: Int, columns: Int, groupColumns: Int? = nil) -> Int? {
        guard hasGroups ? groupColumns.map(BitPlanes.isGroup) == true : groupColumns == nil else { return nil }
        guard rows > 0, rows <= 1 << 32, columns > 0, columns % WeightType.blockColumns == 0, columns <= 1 << 24 else {
            return nil
        }
        let tileByteCount = ryz_tile_bytes(code, columns, (groupColumns ?? 0) / 32)
        let (byteCount, overflows) = ((rows + 15) / 16).multipliedReportingOverflow(by: tileByteCount)
        return overflows ? nil : byteCount
    }

    var code: ryz_layout {
        switch self {
        case .f32: RYZ_F32
        case .f16: RYZ_F16
        case .bf16: RYZ_BF16
        case .q8_0: RYZ_Q8_0
        case .q4_0: RYZ_Q4_0
        case .q4_1: RYZ_Q4_1
        case .r8: RYZ_R8
        case .t2: RYZ_T2
        case .t5: RYZ_T5
        case .l3: RYZ_L3
        case .b1: RYZ_B1
        case .b2: RYZ_B2
        case .b3: RYZ_B3
        case .b4: RYZ_B4
        }
    }
}

/// A matrix that lies in a mapped file in tiles already.
public struct TileSource {
    /// What the errors call it, such as `blk.0.attn_q.weight`.
    public let name: String
    public let file: MappedFile
    public let byteOffset: Int
    public let layout: TileLayout
    public let rows: Int
    public let columns: Int
    /// Ternary layouts: what every product is multiplied by.
    public let scale: Float
    /// Columns that share a scale and a minimum; nil for layouts without groups.
    public let groupColumns: Int?
    let byteCount: Int

    /// Throws if the tiles do not lie in the file.
    public init(
        name: String, file: MappedFile, byteOffset: Int, layout: TileLayout, rows: Int, columns: Int, scale: Float,
        groupColumns: Int? = nil
    ) throws(KernelError) {
        guard let byteCount = layout.byteCount(rows: rows, columns: columns, groupColumns: groupColumns), scale.isFinite
        else {
            let groups = groupColumns.map { " in groups of \($0)" } ?? ""
            throw .shape(
                "\(name): \(rows) × \(columns) weights of scale \(scale)\(groups) have no tiles \(layout.rawValue)")
        }
        guard byteOffset >= 0, byteCount <= file.byteCount, byteOffset <= file.byteCount - byteCount else {
            throw .shape("\(name): its bytes lie outside \(file.path)")
        }
        (self.name, self.file, self.byteOffset, self.layout) = (name, file, byteOffset, layout)
        (self.rows, self.columns, self.scale, self.byteCount) = (rows, columns, scale, byteCount)
        self.groupColumns = groupColumns
    }

    /// Copies the tiles, having checked that they are such as packing makes: kernels for different instruction sets
    /// agree on no others.
    func copy(to memory: UnsafeMutableRawPointer) throws(KernelError) {
        let start = file.base + byteOffset
        guard ryz_check_tiles(layout.code, start, rows, columns, (groupColumns ?? 0) / 32) == 0 else {
            let wrong = layout.hasGroups ? "a scale or minimum that is not finite" : "what is none of −1, 0 and 1"
            throw .shape("\(name): its tiles hold \(wrong); convert the model again")
        }
        memory.copyMemory(from: start, byteCount: byteCount)
        // The copy is what runs; the file's pages need not stay in this process.
        file.adviseDontNeed(byteOffset..<byteOffset + byteCount)
    }
}
