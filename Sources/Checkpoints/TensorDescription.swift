public import Kernels

/// A tensor of a model: a matrix of rows × columns.
///
/// But for `TensorType.packedTernary` and tensors in tiles, row lies after row in the file, and values of a row are next
/// to each other.
public struct TensorDescription: Sendable {
    /// As the file calls it, such as `blk.0.attn_q.weight` or `model.layers.0.self_attn.q_proj.weight`.
    public let name: String
    public let type: TensorType
    /// Outputs of a projection, tokens of an embedding; 1 for the weights of a norm.
    public let rows: Int
    /// Inputs of a projection; a whole number of the type's blocks.
    public let columns: Int
    /// The file that it lies in.
    public let file: MappedFile
    /// Where the data is, in bytes from the start of the file.
    public let byteRange: Range<Int>
    /// Of a ternary tensor, what its integer product is multiplied by: finite. 1 for other types, and for those made
    /// ternary when they are loaded, whose scale is found then.
    public let scale: Float
    /// How the tensor lies in a converted model: its type is then what it was made of. Nil where it lies as `type` says.
    public let tiles: TileStorage?

    public init(
        name: String, type: TensorType, rows: Int, columns: Int, file: MappedFile, byteRange: Range<Int>,
        scale: Float = 1, tiles: TileStorage? = nil
    ) {
        self.name = name
        self.type = type
        self.rows = rows
        self.columns = columns
        self.file = file
        self.byteRange = byteRange
        self.scale = scale
        self.tiles = tiles
    }

    /// Bytes of the whole tensor.
    public var byteCount: Int { byteRange.count }

    /// Bytes of one row; 0 for `TensorType.i2_s` and `TensorType.packedTernary`, which are not made of rows alone.
    public var rowByteCount: Int { columns / type.blockSize * type.bytesPerBlock }
}

/// How a matrix lies in the tiles of a converted model.
public struct TileStorage: Sendable, Equatable {
    public var layout: TileLayout
    /// The segments that its sums are meant to be cut into, in columns; nil for one sum in order.
    public var segmentColumns: Int?
    /// Columns that share a scale and a minimum; nil for layouts without groups.
    public var groupColumns: Int?

    public init(layout: TileLayout, segmentColumns: Int?, groupColumns: Int? = nil) {
        self.layout = layout
        self.segmentColumns = segmentColumns
        self.groupColumns = groupColumns
    }
}

extension TensorDescription: Equatable {
    public static func == (left: TensorDescription, right: TensorDescription) -> Bool {
        left.name == right.name && left.type == right.type && left.rows == right.rows && left.columns == right.columns
            && left.file === right.file && left.byteRange == right.byteRange && left.scale == right.scale
            && left.tiles == right.tiles
    }
}

/// The tensors of one transformer layer.
public struct LayerTensors: Sendable, Equatable {
    /// RMSNorm weights before attention: [1 × hidden].
    public let attentionNorm: TensorDescription
    /// [heads · headDimension × hidden]
    public let query: TensorDescription
    /// [keyValueHeads · headDimension × hidden]
    public let key: TensorDescription
    /// [keyValueHeads · headDimension × hidden]
    public let value: TensorDescription
    /// RMSNorm weights between attention and its output projection: [1 × heads · headDimension]; nil unless the
    /// configuration has sub-norms.
    public let attentionSubNorm: TensorDescription?
    /// [hidden × heads · headDimension]
    public let attentionOutput: TensorDescription
    /// RMSNorm weights before the feed-forward network: [1 × hidden].
    public let feedForwardNorm: TensorDescription
    /// [feedForward × hidden]
    public let gate: TensorDescription
    /// [feedForward × hidden]
    public let up: TensorDescription
    /// RMSNorm weights before the down projection: [1 × feedForward]; nil unless the configuration has sub-norms.
    public let feedForwardSubNorm: TensorDescription?
    /// [hidden × feedForward]
    public let down: TensorDescription

    /// All of them, in the order of computation.
    public var all: [TensorDescription] {
        [
            attentionNorm, query, key, value, attentionSubNorm, attentionOutput, feedForwardNorm, gate, up,
            feedForwardSubNorm, down,
        ].compactMap { $0 }
    }

    /// Bytes of the layer's weights in the file.
    public var byteCount: Int { all.reduce(0) { $0 + $1.byteCount } }
}
