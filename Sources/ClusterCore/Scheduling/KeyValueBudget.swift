/// KV cache that is promised to sequences, in blocks of 256 tokens.
///
/// A sequence gets all the blocks that it can come to need before its first step, so that it never stops half-way for
/// want of memory. What ended sequences keep is counted apart: it is there only as long as nobody needs it.
struct KeyValueBudget: Sendable, Equatable {
    static let blockTokenCount = 256
    let blockCount: Int
    /// Of sequences that run.
    private(set) var reservedBlockCount = 0
    /// Of sequences that have ended.
    private(set) var keptBlockCount = 0

    init(tokenCapacity: Int) { blockCount = max(0, tokenCapacity) / Self.blockTokenCount }

    static func blockCount(forTokens tokenCount: Int) -> Int {
        (tokenCount + blockTokenCount - 1) / blockTokenCount
    }

    var tokenCapacity: Int { blockCount * Self.blockTokenCount }
    var freeBlockCount: Int { blockCount - reservedBlockCount - keptBlockCount }

    /// Whether that many blocks are free, or kept by sequences that have ended.
    func canReserve(_ count: Int) -> Bool { reservedBlockCount + count <= blockCount }

    /// For a sequence that runs. To be called with as many that are free.
    mutating func reserve(_ count: Int) { reservedBlockCount += count }

    mutating func giveBack(_ count: Int) { reservedBlockCount -= count }

    /// A sequence has ended and keeps these of its blocks.
    mutating func keep(_ count: Int) {
        reservedBlockCount -= count
        keptBlockCount += count
    }

    /// A sequence that kept them runs again.
    mutating func takeUp(_ count: Int) {
        keptBlockCount -= count
        reservedBlockCount += count
    }

    /// A sequence keeps them no longer.
    mutating func forget(_ count: Int) { keptBlockCount -= count }
}
