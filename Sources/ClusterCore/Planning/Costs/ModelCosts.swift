public import Transport

/// Weights that are read for every token, by what their kernels are.
public struct WeightAmount: Sendable, Equatable, Codable {
    /// Ternary weights; how many bytes they take is up to the node's layout.
    public var ternaryCount: Double
    /// Other weights, such as those of the head.
    public var otherCount: Double
    /// Bytes of the other weights, scales included.
    public var otherByteCount: Double

    public init(ternaryCount: Double = 0, otherCount: Double = 0, otherByteCount: Double = 0) {
        self.ternaryCount = ternaryCount
        self.otherCount = otherCount
        self.otherByteCount = otherByteCount
    }

    private enum CodingKeys: String, CodingKey {
        case ternaryCount = "ternary_count"
        case otherCount = "other_count"
        case otherByteCount = "other_byte_count"
    }

    public static let none = WeightAmount()

    static func + (left: WeightAmount, right: WeightAmount) -> WeightAmount {
        WeightAmount(
            ternaryCount: left.ternaryCount + right.ternaryCount, otherCount: left.otherCount + right.otherCount,
            otherByteCount: left.otherByteCount + right.otherByteCount)
    }

    static func * (amount: WeightAmount, factor: Double) -> WeightAmount {
        WeightAmount(
            ternaryCount: amount.ternaryCount * factor, otherCount: amount.otherCount * factor,
            otherByteCount: amount.otherByteCount * factor)
    }

    /// Bytes in memory where a ternary weight takes so many bits.
    func byteCount(ternaryBitsPerWeight: Double) -> Double {
        ternaryCount * ternaryBitsPerWeight / 8 + otherByteCount
    }
}

/// What one layer costs, cut as ranks share it.
public struct LayerCosts: Sendable, Equatable, Codable {
    /// Query, key, value and output projections of one KV head and the query heads that share it.
    public var keyValueHead: WeightAmount
    /// Gate, up and down of one block of feed-forward columns, on average.
    public var feedForwardBlock: WeightAmount
    /// Norms, which every rank has in full.
    public var normByteCount: Double

    public init(keyValueHead: WeightAmount, feedForwardBlock: WeightAmount, normByteCount: Double) {
        self.keyValueHead = keyValueHead
        self.feedForwardBlock = feedForwardBlock
        self.normByteCount = normByteCount
    }

    private enum CodingKeys: String, CodingKey {
        case keyValueHead = "key_value_head"
        case feedForwardBlock = "feed_forward_block"
        case normByteCount = "norm_byte_count"
    }
}

/// How the ranks of a stage come together in each layer.
public struct SynchronisationCosts: Sendable, Equatable, Codable {
    /// Times that ranks exchange a vector of the hidden size, after attention and after the feed-forward network.
    public var vectorCount: Int
    /// Bytes of each value of such a vector: 4 for ternary sums, 8 for fixed-point ones.
    public var bytesPerValue: Int
    /// Times that they exchange a few bytes for each row.
    public var scalarCount: Int

    public init(vectorCount: Int = 2, bytesPerValue: Int, scalarCount: Int) {
        self.vectorCount = vectorCount
        self.bytesPerValue = bytesPerValue
        self.scalarCount = scalarCount
    }

    private enum CodingKeys: String, CodingKey {
        case vectorCount = "vector_count"
        case bytesPerValue = "bytes_per_value"
        case scalarCount = "scalar_count"
    }
}

/// All of a model that decides how fast a placement is and what it takes, without its weights.
public struct ModelCosts: Sendable, Equatable, Codable {
    public var name: String
    /// What the ranks of a stage share.
    public var parts: RankParts
    public var hiddenSize: Int
    public var vocabularySize: Int
    /// The longest sequence that the model was made for, in tokens.
    public var contextLength: Int
    /// One for each layer.
    public var layers: [LayerCosts]
    /// One chunk of the vocabulary in the head, on average.
    public var vocabularyChunk: WeightAmount
    /// Bytes of the embeddings. They stay in the mapped file, of which a token reads one row.
    public var embeddingByteCount: Double
    /// Bytes of keys and values of one token, for one KV head of one layer.
    public var keyValueByteCount: Double
    /// Multiply-adds of one token with one earlier position, for one KV head of one layer: scores and weighted values.
    public var attentionMultiplyAdds: Double
    public var synchronisation: SynchronisationCosts
    /// Bytes of buffers for one row of a step that every rank has.
    public var workspaceByteCountPerRow: Double

    public init(
        name: String, parts: RankParts, hiddenSize: Int, vocabularySize: Int, contextLength: Int, layers: [LayerCosts],
        vocabularyChunk: WeightAmount, embeddingByteCount: Double, keyValueByteCount: Double,
        attentionMultiplyAdds: Double, synchronisation: SynchronisationCosts, workspaceByteCountPerRow: Double
    ) {
        self.name = name
        self.parts = parts
        self.hiddenSize = hiddenSize
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.layers = layers
        self.vocabularyChunk = vocabularyChunk
        self.embeddingByteCount = embeddingByteCount
        self.keyValueByteCount = keyValueByteCount
        self.attentionMultiplyAdds = attentionMultiplyAdds
        self.synchronisation = synchronisation
        self.workspaceByteCountPerRow = workspaceByteCountPerRow
    }

    private enum CodingKeys: String, CodingKey {
        case name, parts, layers, synchronisation
        case hiddenSize = "hidden_size"
        case vocabularySize = "vocabulary_size"
        case contextLength = "context_length"
        case vocabularyChunk = "vocabulary_chunk"
        case embeddingByteCount = "embedding_byte_count"
        case keyValueByteCount = "key_value_byte_count"
        case attentionMultiplyAdds = "attention_multiply_adds"
        case workspaceByteCountPerRow = "workspace_byte_count_per_row"
    }

    public var layerCount: Int { layers.count }

    /// Bytes of all weights that a token reads, where a ternary weight takes so many bits.
    public func weightsByteCount(ternaryBitsPerWeight: Double) -> Double {
        let heads = Double(parts.keyValueHeadCount)
        let blocks = Double(parts.feedForwardBlockCount)
        return layers.reduce(
            vocabularyChunk.byteCount(ternaryBitsPerWeight: ternaryBitsPerWeight)
                * Double(parts.vocabularyChunkCount)
        ) { sum, layer in
            sum + layer.normByteCount + layer.keyValueHead.byteCount(ternaryBitsPerWeight: ternaryBitsPerWeight) * heads
                + layer.feedForwardBlock.byteCount(ternaryBitsPerWeight: ternaryBitsPerWeight) * blocks
        }
    }
}
