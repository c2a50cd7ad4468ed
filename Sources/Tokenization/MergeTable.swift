/// Which pairs of symbols merge, how early, and into what: a hash table with linear probing.
struct MergeTable: Sendable {
    private struct Slot {
        /// The left symbol in the upper half, the right one in the lower.
        var pair: UInt64
        var rank: UInt32
        var merged: Int32
    }

    /// What a pair merges into.
    struct Merge {
        /// The lower, the earlier it is done.
        var rank: UInt32
        var symbol: Int32
    }

    /// The rank of a pair that does not merge.
    static let never = UInt32.max

    private static let emptyPair = UInt64.max
    private var slots: [Slot]
    private let shift: Int
    /// Drawn anew for each table, so that a file cannot be made whose pairs all collide.
    private let multiplier = UInt64.random(in: .min ... .max) | 1

    /// Room for `capacity` pairs.
    init(capacity: Int) {
        var bitCount = 4
        while 1 << bitCount < capacity + capacity / 2 { bitCount += 1 }
        slots = Array(repeating: Slot(pair: Self.emptyPair, rank: Self.never, merged: -1), count: 1 << bitCount)
        shift = 64 - bitCount
    }

    /// Enters a pair. Of equal pairs the first one counts.
    mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, merged: Int32) {
        let slot = slot(of: left, right)
        guard slots[slot].pair == Self.emptyPair else { return }
        slots[slot] = Slot(pair: Self.pair(left, right), rank: rank, merged: merged)
    }

    /// What the pair merges into; a merge of rank `never` if it does not.
    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge {
        let slot = slots[slot(of: left, right)]
        return Merge(rank: slot.rank, symbol: slot.merged)
    }

    /// Where the pair stands, or would.
    @inline(__always)
    private func slot(of left: Int32, _ right: Int32) -> Int {
        let pair = Self.pair(left, right)
        var slot = Int(truncatingIfNeeded: ((pair ^ pair >> 29) &* multiplier) >> UInt64(shift))
        while slots[slot].pair != pair, slots[slot].pair != Self.emptyPair { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }
}
