public import Kernels
public import Transport

/// Links among ranks on one machine: each writes once, and the others read where it wrote.
public final class SharedMemoryLinks: RankLinks {
    public let rank: Int
    public let rankCount: Int
    public let maximumPostByteCount: Int
    public let openRoundLimit: Int

    private let region: SharedRegion
    private let timeouts: ExchangeTimeouts
    private let names: [String]
    private let isAbandoned: () -> Bool
    private var step = StepID(0)
    private var timeout: Duration
    private var postedCount: UInt32 = 0
    private var finishedCount: UInt32 = 0

    /// How long a wait goes on before it looks whether it has been given up.
    private static let waitSlice: Duration = .milliseconds(20)

    /// - Parameters:
    ///   - region: of one member for each rank.
    ///   - names: what errors call the ranks.
    ///   - isAbandoned: whether the stage is no longer wanted, so that waiting is pointless.
    public init(
        _ region: SharedRegion, rank: Int, names: [String], timeouts: ExchangeTimeouts = ExchangeTimeouts(),
        isAbandoned: @escaping () -> Bool = { false }
    ) {
        precondition(names.count == region.shape.memberCount && names.indices.contains(rank))
        self.region = region
        self.rank = rank
        self.names = names
        self.timeouts = timeouts
        self.isAbandoned = isAbandoned
        rankCount = region.shape.memberCount
        maximumPostByteCount = region.shape.slotByteCount
        openRoundLimit = region.shape.slotCount
        timeout = timeouts.base
    }

    public func begin(_ step: StepID, rowCount: Int) {
        self.step = step
        timeout = timeouts.timeout(rowCount: rowCount)
    }

    public func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError) {
        precondition(postedCount &- finishedCount < UInt32(openRoundLimit))
        var late: Int?
        let isFree = waitInSlices { slice in
            late = region.lateReader(for: postedCount, of: rank, timeout: slice)
            return late == nil
        }
        guard isFree else { throw error(late ?? rank, "has not read what it was given") }
        region.post(bytes, tag: step.number, round: postedCount, of: rank, part: part)
        postedCount &+= 1
    }

    public func read(from other: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError) {
        let hasPosted = waitInSlices { slice in region.hasPosted(finishedCount, member: other, timeout: slice) }
        guard hasPosted else { throw error(other, "has not given its part") }
        var isExpected = false
        region.withPost(of: other, for: rank, round: finishedCount) { tag, bytes in
            isExpected = tag == step.number && bytes.byteCount == byteCount
            if isExpected { body(bytes) }
        }
        guard isExpected else { throw error(other, "has given a part of another step or size") }
    }

    public func finishRound() {
        region.finish(rank)
        finishedCount &+= 1
    }

    /// Waits until `isDone` says so, within the step's time-out; gives up early when the stage is no longer wanted.
    private func waitInSlices(_ isDone: (Duration) -> Bool) -> Bool {
        var left = timeout
        while left > .zero {
            let slice = min(left, Self.waitSlice)
            if isDone(slice) { return true }
            if isAbandoned() { return false }
            left -= slice
        }
        return false
    }

    private func error(_ other: Int, _ problem: String) -> ExchangeError {
        ExchangeError(
            rank: other,
            reason: "step \(step.number): rank \(other) (\(names[other])) \(problem) within \(timeout.seconds) s")
    }
}
