import JSON
import Kernels

/// What is wrong with the record of a tensor.
struct RecordError: Error {
    var problem: String
    init(_ problem: String) { self.problem = problem }
}

/// What the metadata of a converted model says of a tensor, as a JSON object in the text of its key: `type` (what the
/// original had), `layout` (of the tiles, or `stored`), `rows`, `columns`, `scale`, `segment_columns` and `group_columns`.
public struct TensorRecord: Sendable, Equatable {
    public var type: TensorType
    /// Nil where the data is as the original had it.
    public var tiles: TileStorage?
    public var rows: Int
    public var columns: Int
    /// Of a ternary matrix.
    public var scale: Float

    private static let stored = "stored"

    public init(type: TensorType, tiles: TileStorage?, rows: Int, columns: Int, scale: Float) {
        self.type = type
        self.tiles = tiles
        self.rows = rows
        self.columns = columns
        self.scale = scale
    }

    /// The record as it stands in the metadata.
    public var text: String {
        // Every float32 is a double, and a double's description reads back as itself.
        var text = "{\"type\":\"\(type.name)\",\"layout\":\"\(tiles?.layout.rawValue ?? Self.stored)\""
        text += ",\"rows\":\(rows),\"columns\":\(columns),\"scale\":\(Double(scale))"
        if let segmentColumns = tiles?.segmentColumns { text += ",\"segment_columns\":\(segmentColumns)" }
        if let groupColumns = tiles?.groupColumns { text += ",\"group_columns\":\(groupColumns)" }
        return text + "}"
    }

    /// Bytes of the tensor, without what pads it.
    public var byteCount: Int {
        tiles.map { $0.layout.byteCount(rows: rows, columns: columns, groupColumns: $0.groupColumns) ?? 0 }
            ?? rows * (columns / type.blockSize * type.bytesPerBlock)
    }

    /// Reads a record and checks all that it says by itself.
    init(_ text: String?) throws(RecordError) {
        guard let text else { throw RecordError("the metadata has no record of it") }
        let fields: JSONValue
        do throws(JSONSyntaxError) {
            let limits = JSONLimits(maximumDepth: 2, maximumValueCount: 16)
            fields = try JSONDocument(parsing: Array(text.utf8), limits: limits).root.value
        } catch {
            throw RecordError("its record is \(error)")
        }
        guard let name = fields["type"]?.string, let type = TensorType.allCases.first(where: { $0.name == name }) else {
            throw RecordError("its record names no known type")
        }
        guard let rows = fields["rows"]?.wholeNumber, let columns = fields["columns"]?.wholeNumber,
            (1...(1 << 24)).contains(rows), (1...(1 << 24)).contains(columns), columns % type.blockSize == 0
        else { throw RecordError("its record gives no rows and columns that a \(name) can have") }
        guard let double = fields["scale"]?.double, Float(double).isFinite, type.isTernary || double == 1 else {
            throw RecordError("its record gives no scale that a \(name) can have")
        }
        self.init(type: type, tiles: nil, rows: rows, columns: columns, scale: Float(double))
        let layoutName = fields["layout"]?.string
        if layoutName == Self.stored {
            guard !type.isTernary else { throw RecordError("\(name) is to be in tiles") }
            return
        }
        guard let layoutName, let layout = TileLayout(rawValue: layoutName), layout.holds(type),
            columns % WeightType.blockColumns == 0
        else {
            throw RecordError(
                "its record names no layout that a \(name) of \(rows) × \(columns) can be in; supported: "
                    + TileLayout.allCases.filter { $0.holds(type) }.map(\.rawValue).joined(separator: ", "))
        }
        let segments = fields["segment_columns"]
        guard segments == nil || segments?.wholeNumber.map({ (32...columns + 256).contains($0) }) == true
        else { throw RecordError("its record gives no segment columns that it can have") }
        let groups = fields["group_columns"]
        let (segmentColumns, groupColumns) = (segments?.wholeNumber, groups?.wholeNumber)
        guard (groups == nil) == (groupColumns == nil),
            layout.byteCount(rows: rows, columns: columns, groupColumns: groupColumns) != nil,
            // A group that crossed the border of a segment would belong to two nodes.
            groupColumns.map({ (segmentColumns ?? 0) % $0 == 0 }) ?? true
        else { throw RecordError("its record gives no group columns that \(layoutName) tiles can have") }
        tiles = TileStorage(layout: layout, segmentColumns: segmentColumns, groupColumns: groupColumns)
    }

    /// Throws unless the tensor has as many bytes as the record says, and where they must be.
    func check(_ tensor: SafeTensor) throws(RecordError) {
        let byteCount = byteCount
        guard tensor.type == "U8" else { throw RecordError("it is \(tensor.type), not U8") }
        guard tensor.byteRange.lowerBound % ConvertedModel.alignment == 0 else {
            throw RecordError("it does not begin at a multiple of \(ConvertedModel.alignment) bytes")
        }
        guard byteCount <= tensor.byteRange.count, tensor.byteRange.count - byteCount < ConvertedModel.alignment else {
            throw RecordError("it has \(tensor.byteRange.count) bytes, but \(rows) × \(columns) take \(byteCount)")
        }
    }
}

extension TileLayout {
    /// Whether weights that were of `type` can be in this layout.
    fileprivate func holds(_ type: TensorType) -> Bool {
        switch self {
        case .t2, .t5, .i5, .l3: type.isTernary
        case .r8: type.isFloatingPoint
        case .f32: type == .f32
        case .f16: type == .f16
        case .bf16: type == .bf16
        case .q8_0: type == .q8_0
        case .q4_0: type == .q4_0
        case .q4_1: type == .q4_1
        case .b1, .b2, .b3, .b4: !type.isTernary
        }
    }
}
