/// KV cache that is promised to sequences, in blocks of 256 tokens.
///
/// A sequence gets all the blocks that it can come to need before its first step, so that it never stops half-way for
/// want of memory.
struct KeyValueBudget: Sendable, Equatable {
    static let blockTokenCount = 256
    let blockCount: Int
    private(set) var reservedBlockCount = 0

    init(tokenCapacity: Int) { blockCount = max(0, tokenCapacity) / Self.blockTokenCount }

    static func blockCount(forTokens tokenCount: Int) -> Int {
        (tokenCount + blockTokenCount - 1) / blockTokenCount
    }

    var tokenCapacity: Int { blockCount * Self.blockTokenCount }

    /// Whether that many blocks are free.
    func canReserve(_ count: Int) -> Bool { reservedBlockCount + count <= blockCount }

    /// False, and nothing changes, if not that many blocks are free.
    mutating func reserve(_ count: Int) -> Bool {
        guard canReserve(count) else { return false }
        reservedBlockCount += count
        return true
    }

    mutating func giveBack(_ count: Int) { reservedBlockCount -= count }
}
