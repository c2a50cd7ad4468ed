import CKernels

/// How weights lie in tiles, in memory and in files of converted models. Raw values are the names in these files.
public enum TileLayout: String, CaseIterable, Sendable {
    case f32, f16, bf16
    case q8_0, q4_0, q4_1
    /// Eight bits with a scale for each row.
    case r8
    /// Ternary, two bits to a weight.
    case t2
    /// Ternary, five weights to a byte: as a fraction, or as an index.
    case t5, i5
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
            case .fiveToAnIndex: .i5
            case .threeToAnIndex: .l3
            }
    }

    /// Whether it holds −1, 0 and 1 and takes activations of one scale for each row.
    public var isTernary: Bool { [.t2, .t5, .i5, .l3].contains(self) }

    /// Layouts that tiles can quickly be brought into when they are loaded, this one among them.
    public var recodings: [TileLayout] { Self.recodable.contains(self) ? Self.recodable : [self] }

    private static let recodable: [TileLayout] = [.t2, .t5, .i5]

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

    init(_ code: ryz_layout) {
        guard let layout = TileLayout.allCases.first(where: { $0.code == code }) else {
            preconditionFailure("no layout has the code \(code)")
        }
        self = layout
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
        case .i5: RYZ_I5
        case .l3: RYZ_L3
        case .b1: RYZ_B1
        case .b2: RYZ_B2
        case .b3: RYZ_B3
        case .b4: RYZ_B4
        }
    }
}

/// A matrix that lies in a mapped file in tiles already, or a part of one.
public struct TileSource {
    /// What the errors call it, such as `blk.0.attn_q.weight`.
    public let name: String
    public let file: MappedFile
    public let byteOffset: Int
    /// The layout that they are copied to memory in.
    public private(set) var layout: TileLayout
    public private(set) var rows: Int
    public private(set) var columns: Int
    /// Ternary layouts: what every product is multiplied by.
    public let scale: Float
    /// Columns that share a scale and a minimum; nil for layouts without groups.
    public let groupColumns: Int?
    private let storedLayout: TileLayout
    /// Columns of the whole matrix, and where the part begins in it.
    private let storedColumns: Int
    private var firstRow = 0
    private var firstColumn = 0

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
        (self.rows, self.columns, self.scale, storedColumns) = (rows, columns, scale, columns)
        self.groupColumns = groupColumns
        storedLayout = layout
    }

    /// The same weights, to be copied in another of the layout's recodings.
    public func recoded(_ layout: TileLayout) -> TileSource {
        precondition(storedLayout.recodings.contains(layout))
        var source = self
        source.layout = layout
        return source
    }

    /// The part of some rows, beginning with a whole tile, and columns: blocks of 32, and whole groups where there are any.
    public func part(rows: Range<Int>, columns: Range<Int>) throws(KernelError) -> TileSource {
        try checkPart(name, rows: rows, columns: columns, of: (self.rows, self.columns))
        let unit = groupColumns ?? WeightType.blockColumns
        let isCut =
            columns.count == self.columns
            || layout != .r8 && columns.lowerBound % unit == 0
                && (columns.upperBound % unit == 0 || columns.upperBound == self.columns)
        guard rows.lowerBound % 16 == 0, isCut else {
            throw .shape("\(name): rows \(rows) and columns \(columns) can't be cut out of tiles of \(layout.rawValue)")
        }
        var part = self
        (part.rows, part.columns) = (rows.count, columns.count)
        (part.firstRow, part.firstColumn) = (firstRow + rows.lowerBound, firstColumn + columns.lowerBound)
        return part
    }

    /// Copies the tiles, having checked that they are such as packing makes: kernels for different instruction sets
    /// agree on no others.
    func copy(to memory: UnsafeMutableRawPointer) throws(KernelError) {
        let tileByteCount = tileByteCount(storedLayout, columns: storedColumns)
        let tileCount = (rows + 15) / 16
        let offset = byteOffset + firstRow / 16 * tileByteCount
        let byteCount = tileCount * tileByteCount
        let start = file.base + offset
        guard ryz_check_tiles(storedLayout.code, start, rows, storedColumns, (groupColumns ?? 0) / 32) == 0 else {
            let wrong = layout.hasGroups ? "a scale or minimum that is not finite" : "what is none of −1, 0 and 1"
            throw .shape("\(name): its tiles hold \(wrong); convert the model again")
        }
        if columns == storedColumns {
            if layout == storedLayout {
                memory.copyMemory(from: start, byteCount: byteCount)
            } else {
                ryz_recode_ternary(storedLayout.code, layout.code, start, tileCount, columns, memory)
            }
        } else {
            let copiedByteCount = self.tileByteCount(layout, columns: columns)
            for tile in 0..<tileCount {
                copyColumns(of: start + tile * tileByteCount, to: memory + tile * copiedByteCount)
            }
        }
        // The copy is what runs; the file's pages need not stay in this process.
        file.adviseDontNeed(offset..<offset + byteCount)
    }

    private func tileByteCount(_ layout: TileLayout, columns: Int) -> Int {
        ryz_tile_bytes(layout.code, columns, (groupColumns ?? 0) / 32)
    }

    /// Blocks lie one behind the other; ternary weights have to be packed anew.
    private func copyColumns(of tile: UnsafeRawPointer, to target: UnsafeMutableRawPointer) {
        guard layout.isTernary else {
            target.copyMemory(
                from: tile + tileByteCount(layout, columns: firstColumn),
                byteCount: tileByteCount(layout, columns: columns))
            return
        }
        withUnsafeTemporaryAllocation(of: Int8.self, capacity: 16 * columns) { weights in
            ryz_unpack_ternary(storedLayout.code, tile, firstColumn, columns, weights.baseAddress!)
            ryz_pack_ternary(layout.code, weights.baseAddress!, 16, columns, target)
        }
    }
}
