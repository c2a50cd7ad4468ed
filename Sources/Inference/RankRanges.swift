import Checkpoints
import Kernels
import Transport

/// Which rows and columns of a model's matrices one rank of a stage holds.
struct RankRanges: Equatable, Sendable {
    let queryHeads: Range<Int>
    let keyValueHeads: Range<Int>
    /// Rows of the query matrix, and columns of the attention output.
    let query: Range<Int>
    /// Rows of the key and value matrices.
    let keyValue: Range<Int>
    /// Rows of gate and up, and columns of down.
    let feedForward: Range<Int>
    let feedForwardBlocks: Range<Int>
    /// Rows of the head, on the last stage.
    let vocabulary: Range<Int>

    init(_ share: RankShare, of configuration: ModelConfiguration) {
        let headDimension = configuration.headDimension
        let group = configuration.attentionHeadCount / configuration.keyValueHeadCount
        keyValueHeads = share.keyValueHeads
        queryHeads = share.keyValueHeads.lowerBound * group..<share.keyValueHeads.upperBound * group
        query = queryHeads.lowerBound * headDimension..<queryHeads.upperBound * headDimension
        keyValue = keyValueHeads.lowerBound * headDimension..<keyValueHeads.upperBound * headDimension
        feedForwardBlocks = share.feedForwardBlocks
        feedForward = share.feedForwardBlocks.scaled(
            by: RankShare.feedForwardBlockColumns, limit: configuration.feedForwardSize)
        vocabulary = Self.vocabulary(share, of: configuration)
    }

    /// Rows of the head that a rank holds on the last stage.
    static func vocabulary(_ share: RankShare, of configuration: ModelConfiguration) -> Range<Int> {
        share.vocabularyChunks.scaled(by: RankShare.vocabularyChunkTokens, limit: configuration.vocabularySize)
    }

    /// Columns of the queries, keys and values of this rank, side by side.
    var queryKeyValueCount: Int { query.count + 2 * keyValue.count }
}

extension Range<Int> {
    fileprivate func scaled(by size: Int, limit: Int) -> Range<Int> {
        Swift.min(lowerBound * size, limit)..<Swift.min(upperBound * size, limit)
    }
}

extension ModelConfiguration {
    /// How many parts of it ranks can share.
    public var rankParts: RankParts {
        RankParts(
            keyValueHeadCount: keyValueHeadCount, feedForwardSize: feedForwardSize, vocabularySize: vocabularySize)
    }

    /// Throws unless the shares cover the model, in order, and it can be cut so.
    func check(_ shares: [RankShare]) throws(InferenceError) {
        let whole = rankParts.whole
        let covers =
            shares.covers(whole.keyValueHeads, \.keyValueHeads)
            && shares.covers(whole.feedForwardBlocks, \.feedForwardBlocks)
            && shares.covers(whole.vocabularyChunks, \.vocabularyChunks)
        guard covers, shares.allSatisfy({ !$0.keyValueHeads.isEmpty && !$0.feedForwardBlocks.isEmpty }) else {
            throw .distribution(
                "\(shares.count) ranks do not share the \(keyValueHeadCount) KV heads and \(whole.feedForwardBlocks.count) "
                    + "feed-forward blocks of this model among them; place it with at most as many ranks")
        }
        guard shares.count == 1 || Segments(self).attentionColumns != nil else {
            throw .distribution(
                "the \(querySize / keyValueHeadCount) query columns of a KV head are no multiple of 32, so ranks can't share "
                    + "this model; place it with one rank in each stage")
        }
    }
}

extension [RankShare] {
    /// Whether ranges lie one behind the other and make up the whole.
    fileprivate func covers(_ whole: Range<Int>, _ range: KeyPath<RankShare, Range<Int>>) -> Bool {
        var next = whole.lowerBound
        for share in self {
            guard share[keyPath: range].lowerBound == next else { return false }
            next = share[keyPath: range].upperBound
        }
        return next == whole.upperBound
    }
}
