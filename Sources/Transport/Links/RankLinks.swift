/// The links among the ranks of one stage, as the compute thread of one of them sees them.
///
/// Time goes in rounds, the same for all ranks: in each, a rank may post something, and reads what the others posted for
/// it. Rounds are read and finished in order, while up to `openRoundLimit` of them may be posted ahead. Every call
/// returns within a time-out. After an error the ranks are no longer in step: these links are of no further use.
public protocol RankLinks: AnyObject {
    /// This one's number, and how many there are.
    var rank: Int { get }
    var rankCount: Int { get }
    /// Most bytes in a post.
    var maximumPostByteCount: Int { get }
    /// Most rounds that may be posted and not yet finished; at least 2.
    var openRoundLimit: Int { get }

    /// Says which step the rounds from here on belong to, for time-outs and errors.
    func begin(_ step: StepID, rowCount: Int)

    /// Posts the next round. The bytes are copied or sent before this returns.
    ///
    /// - Parameter part: which of the bytes a rank gets; an empty range if it gets none, and will read none.
    func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError)

    /// Gives `body` what a rank posted for this one in the oldest round that is not finished.
    ///
    /// - Parameter byteCount: how much that is; anything else is an error.
    func read(from rank: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError)

    /// Ends the oldest round: this rank has read all it wants of it.
    func finishRound()
}

extension RankLinks {
    /// Posts all bytes for every rank.
    public func post(_ bytes: RawSpan) throws(ExchangeError) {
        try post(bytes) { _ in 0..<bytes.byteCount }
    }
}

/// Why ranks could not exchange their parts: the stage can compute nothing more until it is placed anew.
public struct ExchangeError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The rank that did not do its part.
    public var rank: Int
    /// What happened, for people, with the rank's name.
    public var reason: String

    public init(rank: Int, reason: String) {
        self.rank = rank
        self.reason = reason
    }

    public var description: String { reason }
}
