public import Transport

/// The place of a rank whose stage is not there yet: for loading its part in advance. It exchanges nothing.
public final class DetachedLinks: RankLinks {
    public let rank: Int
    public let rankCount: Int
    public let maximumPostByteCount: Int
    public let openRoundLimit = 2

    public init(rank: Int, rankCount: Int, maximumPostByteCount: Int) {
        self.rank = rank
        self.rankCount = rankCount
        self.maximumPostByteCount = maximumPostByteCount
    }

    public func begin(_ step: StepID, rowCount: Int) {}

    public func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError) { throw absence }

    public func read(from rank: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError) { throw absence }

    public func finishRound() {}

    private var absence: ExchangeError { ExchangeError(rank: rank, reason: "the part serves no stage yet") }
}
