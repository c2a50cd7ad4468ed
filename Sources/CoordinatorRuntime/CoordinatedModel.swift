public import ClusterCore
import Transport

/// What the coordinator has to know of the model that the workers run.
public struct CoordinatedModel: Sendable, Equatable {
    /// As clients name it.
    public var name: String
    public var file: ModelFileReference
    /// Bytes of each layer's weights as stages keep them, which every token reads; at least one.
    public var layerByteCounts: [UInt64]
    public var embeddingByteCount: UInt64
    /// Likewise of the final norm and the head; of a tied head, too, as the last stage reads it in full.
    public var headByteCount: UInt64
    /// Bytes that the keys and values of a token take in a layer, over all heads.
    public var keyValueByteCount: UInt64
    /// Width of a row of hidden states.
    public var hiddenSize: Int
    /// How many parts there are of what ranks of a stage share.
    public var parts: RankParts
    public var vocabularySize: Int
    /// Longest sequence that the model was made for, in tokens.
    public var contextLength: Int
    /// What it costs on any placement; nil leaves plans to those who know it.
    public var costs: ModelCosts?

    public var layerCount: Int { layerByteCounts.count }

    public init(
        name: String, file: ModelFileReference, layerByteCounts: [UInt64], embeddingByteCount: UInt64,
        headByteCount: UInt64, keyValueByteCount: UInt64 = 0, hiddenSize: Int, parts: RankParts, vocabularySize: Int,
        contextLength: Int, costs: ModelCosts? = nil
    ) {
        self.name = name
        self.file = file
        self.layerByteCounts = layerByteCounts
        self.embeddingByteCount = embeddingByteCount
        self.headByteCount = headByteCount
        self.keyValueByteCount = keyValueByteCount
        self.hiddenSize = hiddenSize
        self.parts = parts
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.costs = costs
    }
}
