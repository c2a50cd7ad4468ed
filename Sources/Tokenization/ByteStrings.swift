/// Many short byte strings, stored end to end.
public struct ByteStrings: Sendable, Equatable {
    var bytes: [UInt8]
    /// Where each string begins, and at last where the last one ends.
    var offsets: [Int]

    /// No strings.
    public init() {
        bytes = []
        offsets = [0]
    }

    /// The UTF-8 of `texts`.
    public init(_ texts: some Sequence<String>) {
        self.init()
        for text in texts { append(Array(text.utf8)) }
    }

    init(bytes: [UInt8], offsets: [Int]) {
        self.bytes = bytes
        self.offsets = offsets
    }

    /// The number of strings.
    public var count: Int { offsets.count - 1 }

    /// Adds a string at the end.
    public mutating func append(_ string: [UInt8]) {
        bytes.append(contentsOf: string)
        offsets.append(bytes.count)
    }

    /// String `index`, which must be below `count`.
    public subscript(index: Int) -> ArraySlice<UInt8> { bytes[range(index)] }

    func range(_ index: Int) -> Range<Int> { offsets[index]..<offsets[index + 1] }
}

/// Finds a string among many by its bytes: a hash table with linear probing.
struct ByteStringIndex: Sendable {
    private struct Slot {
        /// The upper half of the string's hash: most other strings are told apart without fetching their bytes.
        var tag: UInt32 = 0
        /// −1 while the slot is free.
        var id: Int32 = -1
    }

    private var slots = [Slot](repeating: Slot(), count: 16)
    private var count = 0
    /// Drawn anew for each table, so that a file cannot be made whose strings all collide.
    private let seed = UInt64.random(in: .min ... .max)

    /// Enters string `id` of `strings`; of equal strings, the last one entered is found.
    mutating func insert(_ id: Int32, of strings: ByteStrings) {
        if 2 * count >= slots.count { grow(strings) }
        let (slot, tag) = place(of: strings.bytes.span, strings.range(Int(id)), in: strings)
        if slots[slot].id < 0 { count += 1 }
        slots[slot] = Slot(tag: tag, id: id)
    }

    private mutating func grow(_ strings: ByteStrings) {
        let old = slots
        slots = Array(repeating: Slot(), count: 4 * old.count)
        for entry in old where entry.id >= 0 {
            slots[place(of: strings.bytes.span, strings.range(Int(entry.id)), in: strings).slot] = entry
        }
    }

    /// The id of the string that equals `text[range]`; nil if there is none.
    func find(_ text: Span<UInt8>, _ range: Range<Int>, in strings: ByteStrings) -> Int32? {
        let id = slots[place(of: text, range, in: strings).slot].id
        return id < 0 ? nil : id
    }

    /// Where the string stands, or would.
    private func place(
        of text: Span<UInt8>, _ range: Range<Int>, in strings: ByteStrings
    ) -> (slot: Int, tag: UInt32) {
        let bytes = strings.bytes.span
        let hash = hashBytes(text, range, seed: seed)
        let tag = UInt32(truncatingIfNeeded: hash >> 32)
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot].id >= 0 {
            if slots[slot].tag == tag, equal(text, range, bytes, strings.range(Int(slots[slot].id))) { break }
            slot = (slot + 1) & (slots.count - 1)
        }
        return (slot, tag)
    }
}

/// A hash of `text[range]`: FNV-1a from a seed, with the finishing mix of MurmurHash3 to spread it into the low bits.
@inline(__always)
func hashBytes(_ text: Span<UInt8>, _ range: Range<Int>, seed: UInt64) -> UInt64 {
    var hash = seed
    for index in range { hash = (hash ^ UInt64(text[index])) &* 0x0000_0100_0000_01B3 }
    hash ^= hash >> 33
    hash = hash &* 0xFF51_AFD7_ED55_8CCD
    return hash ^ (hash >> 33)
}

@inline(__always)
func equal(_ first: Span<UInt8>, _ firstRange: Range<Int>, _ second: Span<UInt8>, _ secondRange: Range<Int>) -> Bool {
    guard firstRange.count == secondRange.count else { return false }
    for index in 0..<firstRange.count
    where first[firstRange.lowerBound + index] != second[secondRange.lowerBound + index] {
        return false
    }
    return true
}
