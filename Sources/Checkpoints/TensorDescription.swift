/// A tensor of a model: a matrix of rows × columns, row after row in the file, values of a row next to each other.
public struct TensorDescription: Sendable, Equatable {
    /// Such as `blk.0.attn_q.weight`.
    public let name: String
    public let type: TensorType
    /// Outputs of a projection, tokens of an embedding; 1 for the weights of a norm.
    public let rows: Int
    /// Inputs of a projection; a whole number of the type's blocks.
    public let columns: Int
    /// Where the data is, in bytes from the start of the file.
    public let byteRange: Range<Int>

    public init(name: String, type: TensorType, rows: Int, columns: Int, byteRange: Range<Int>) {
        self.name = name
        self.type = type
        self.rows = rows
        self.columns = columns
        self.byteRange = byteRange
    }

    /// Bytes of the whole tensor.
    public var byteCount: Int { byteRange.count }

    /// Bytes of one row.
    public var rowByteCount: Int { columns / type.blockSize * type.bytesPerBlock }
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
    /// [hidden × heads · headDimension]
    public let attentionOutput: TensorDescription
    /// RMSNorm weights before the feed-forward network: [1 × hidden].
    public let feedForwardNorm: TensorDescription
    /// [feedForward × hidden]
    public let gate: TensorDescription
    /// [feedForward × hidden]
    public let up: TensorDescription
    /// [hidden × feedForward]
    public let down: TensorDescription

    /// All of them, in the order of computation.
    public var all: [TensorDescription] {
        [attentionNorm, query, key, value, attentionOutput, feedForwardNorm, gate, up, down]
    }

    /// Bytes of the layer's weights in the file.
    public var byteCount: Int { all.reduce(0) { $0 + $1.byteCount } }
}
