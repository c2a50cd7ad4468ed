public import Kernels
public import Transport

/// Links among ranks on one machine: each writes once, and the others read where it wrote.
public final class SharedMemoryLinks: RankLinks {
    public let rank: Int
    public let rankCount: Int
    public let maximumPostByteCount: Int
    public let openRoundLimit: Int

    private let region: SharedRegion
    /// The ranks that are members of the region, in order.
    private let ranks: [Int]
    private let member: Int
    private let wait: ExchangeWait
    private var step = StepID(0)
    private var timeout: Duration = .zero
    private var postedCount: UInt32 = 0
    private var finishedCount: UInt32 = 0

    /// - Parameters:
    ///   - region: of one member for each of `ranks`.
    ///   - ranks: the ranks on this machine, ascending, `rank` among them. Others get and give nothing here.
    ///   - rankCount: all ranks of the stage.
    public init(_ region: SharedRegion, ranks: [Int], rank: Int, rankCount: Int, wait: ExchangeWait) {
        precondition(ranks.count == region.shape.memberCount)
        self.region = region
        self.ranks = ranks
        self.rank = rank
        self.rankCount = rankCount
        self.wait = wait
        member = ranks.firstIndex(of: rank)!
        maximumPostByteCount = region.shape.slotByteCount
        openRoundLimit = region.shape.slotCount
    }

    public func begin(_ step: StepID, rowCount: Int) {
        self.step = step
        timeout = wait.timeout(rowCount: rowCount)
    }

    public func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError) {
        precondition(postedCount &- finishedCount < UInt32(openRoundLimit))
        var late = member
        let isFree = wait.until(timeout) { slice in
            guard let reader = region.lateReader(for: postedCount, of: member, timeout: slice) else { return true }
            late = reader
            return false
        }
        guard isFree else {
            throw wait.error(step, rank: ranks[late], "has not read what it was given", timeout)
        }
        region.post(bytes, tag: step.number, round: postedCount, of: member) { part(ranks[$0]) }
        postedCount &+= 1
    }

    public func read(from other: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError) {
        let sender = ranks.firstIndex(of: other)!
        let hasPosted = wait.until(timeout) { slice in
            region.hasPosted(finishedCount, member: sender, timeout: slice)
        }
        guard hasPosted else { throw wait.error(step, rank: other, "has not given its part", timeout) }
        var isExpected = false
        region.withPost(of: sender, for: member, round: finishedCount) { tag, bytes in
            isExpected = tag == step.number && bytes.byteCount == byteCount
            if isExpected { body(bytes) }
        }
        guard isExpected else {
            throw wait.error(step, rank: other, "has given a part of another step or size", timeout)
        }
    }

    public func finishRound() {
        region.finish(member)
        finishedCount &+= 1
    }
}
