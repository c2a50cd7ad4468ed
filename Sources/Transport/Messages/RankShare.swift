/// What one rank of a stage holds of each of its layers, and of the head on the last stage (Shoeybi et al., 2019:
/// column-parallel query, key, value, gate and up; row-parallel output and down).
///
/// The parts are cut where the sums over them are: see docs/numerics.md. Ranks of a stage hold neighbouring ranges in
/// the order of their numbers, and together all.
public struct RankShare: Equatable, Sendable {
    /// Feed-forward columns in a block; the model's last block may have fewer.
    public static let feedForwardBlockColumns = 256
    /// Tokens of the vocabulary in a chunk; the last chunk may have fewer.
    public static let vocabularyChunkTokens = 512

    /// KV heads, with the query heads that share them and the cache of their keys and values. Never empty.
    public var keyValueHeads: Range<Int>
    /// Blocks of feed-forward columns. Never empty.
    public var feedForwardBlocks: Range<Int>
    /// Chunks of the vocabulary, whose rows of the head it holds on the last stage. May be empty.
    public var vocabularyChunks: Range<Int>

    public init(keyValueHeads: Range<Int>, feedForwardBlocks: Range<Int>, vocabularyChunks: Range<Int>) {
        self.keyValueHeads = keyValueHeads
        self.feedForwardBlocks = feedForwardBlocks
        self.vocabularyChunks = vocabularyChunks
    }
}

/// How many parts there are of what ranks share: a property of the model.
public struct RankParts: Equatable, Sendable, Codable {
    public var keyValueHeadCount: Int
    public var feedForwardBlockCount: Int
    public var vocabularyChunkCount: Int

    /// - Parameters:
    ///   - feedForwardSize: feed-forward columns.
    ///   - vocabularySize: rows of the head.
    public init(keyValueHeadCount: Int, feedForwardSize: Int, vocabularySize: Int) {
        self.keyValueHeadCount = keyValueHeadCount
        feedForwardBlockCount =
            (feedForwardSize + RankShare.feedForwardBlockColumns - 1) / RankShare.feedForwardBlockColumns
        vocabularyChunkCount =
            (vocabularySize + RankShare.vocabularyChunkTokens - 1) / RankShare.vocabularyChunkTokens
    }

    private enum CodingKeys: String, CodingKey {
        case keyValueHeadCount = "key_value_head_count"
        case feedForwardBlockCount = "feed_forward_block_count"
        case vocabularyChunkCount = "vocabulary_chunk_count"
    }

    /// Everything, for a stage of a single rank.
    public var whole: RankShare {
        RankShare(
            keyValueHeads: 0..<keyValueHeadCount, feedForwardBlocks: 0..<feedForwardBlockCount,
            vocabularyChunks: 0..<vocabularyChunkCount)
    }
}

/// On which grid ternary models round the activations that BitNet's inner norms give.
public enum ActivationGrid: String, CaseIterable, Sendable, Codable {
    /// One scale for the whole vector, as the reference has it; ranks agree on it first.
    case exact
    /// A scale for each segment (the queries of a KV head, a feed-forward block): ranks need not agree, and the answers
    /// differ a little from the reference's.
    case segment
}
