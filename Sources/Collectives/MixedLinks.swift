public import Transport

/// Links of which some lead to ranks on this machine and some to others.
public final class MixedLinks: RankLinks {
    private let near: any RankLinks
    private let far: any RankLinks
    /// By rank.
    private let isNear: [Bool]

    /// - Parameter isNear: which ranks `near` reaches; `far` reaches the others.
    public init(near: any RankLinks, far: any RankLinks, isNear: [Bool]) {
        self.near = near
        self.far = far
        self.isNear = isNear
    }

    public var rank: Int { near.rank }
    public var rankCount: Int { near.rankCount }
    public var maximumPostByteCount: Int { min(near.maximumPostByteCount, far.maximumPostByteCount) }
    public var openRoundLimit: Int { min(near.openRoundLimit, far.openRoundLimit) }

    public func begin(_ step: StepID, rowCount: Int) {
        near.begin(step, rowCount: rowCount)
        far.begin(step, rowCount: rowCount)
    }

    public func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError) {
        // What has the longer way goes first.
        try far.post(bytes, part: part)
        try near.post(bytes, part: part)
    }

    public func read(from rank: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError) {
        try (isNear[rank] ? near : far).read(from: rank, byteCount: byteCount, body)
    }

    public func finishRound() {
        near.finishRound()
        far.finishRound()
    }
}
