/// Turns words of one text into tokens by merging byte pairs (Sennrich et al., 2016), the earliest-ranked pair first and
/// the leftmost among equals. Holds the scratch memory of one call of `Tokenizer.encode`.
struct WordEncoder {
    /// Up to this length all pairs are looked through for each merge; beyond it a priority queue is quicker.
    private static let shortWordByteCount = 48
    /// Longer words are cut, which bounds memory to some 25 bytes per byte of this.
    private static let maximumWordByteCount = 1 << 24

    private let model: BytePairModel
    private var symbols: [Int32] = []
    private var ranks: [UInt32] = []
    private var previous: [Int32] = []
    private var next: [Int32] = []
    private var queue = MergeQueue()
    private var recent: RecentWords

    init(model: BytePairModel, textByteCount: Int) {
        self.model = model
        recent = RecentWords(textByteCount: textByteCount)
    }

    /// Appends the tokens of the word `text[range]` to `output`. All calls must be with the same text and output.
    mutating func encode(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int32]) {
        if range.count == 1 { return model.emit(model.byteSymbols[Int(text[range.lowerBound])], into: &output) }
        guard range.count <= Self.shortWordByteCount else { return encodeLong(text, range, into: &output) }
        if recent.copyTokens(of: text, range, in: &output) { return }
        let start = output.count
        if model.ignoresMerges, let token = model.token(text, range) {
            output.append(token)
        } else {
            mergeShort(text, range, into: &output)
        }
        recent.remember(range, tokens: start..<output.count)
    }

    private mutating func encodeLong(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int32]) {
        if model.ignoresMerges, let token = model.token(text, range) { return output.append(token) }
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.maximumWordByteCount) {
            let end = min(start + Self.maximumWordByteCount, range.upperBound)
            mergeLong(text, start..<end, into: &output)
        }
    }

    private mutating func mergeShort(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int32]) {
        symbols.removeAll(keepingCapacity: true)
        ranks.removeAll(keepingCapacity: true)
        for index in range { symbols.append(model.byteSymbols[Int(text[index])]) }
        for index in 1..<symbols.count { ranks.append(model.merges.merge(symbols[index - 1], symbols[index]).rank) }
        while true {
            var best = MergeTable.never
            var position = 0
            for index in ranks.indices where ranks[index] < best {
                best = ranks[index]
                position = index
            }
            if best == MergeTable.never { break }
            symbols[position] = model.merges.merge(symbols[position], symbols[position + 1]).symbol
            symbols.remove(at: position + 1)
            ranks.remove(at: position)
            if position > 0 {
                ranks[position - 1] = model.merges.merge(symbols[position - 1], symbols[position]).rank
            }
            if position < ranks.count {
                ranks[position] = model.merges.merge(symbols[position], symbols[position + 1]).rank
            }
        }
        for symbol in symbols { model.emit(symbol, into: &output) }
    }

    /// Symbols form a linked list; `ranks[i]` is the rank of symbol i with the one after it. A queue entry whose rank is
    /// no longer that of its position is out of date.
    private mutating func mergeLong(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int32]) {
        let count = range.count
        symbols = range.map { model.byteSymbols[Int(text[$0])] }
        previous = (0..<count).map { Int32($0) - 1 }
        next = (0..<count).map { $0 + 1 < count ? Int32($0) + 1 : -1 }
        ranks = Array(repeating: MergeTable.never, count: count)
        for position in 0..<count - 1 {
            ranks[position] = model.merges.merge(symbols[position], symbols[position + 1]).rank
        }
        queue.fill(ranks)
        while let (rank, position) = queue.popFirst() {
            guard ranks[position] == rank, next[position] >= 0 else { continue }
            let right = Int(next[position])
            symbols[position] = model.merges.merge(symbols[position], symbols[right]).symbol
            ranks[right] = MergeTable.never
            next[position] = next[right]
            if next[position] >= 0 { previous[Int(next[position])] = Int32(position) }
            updateRank(at: position)
            if previous[position] >= 0 { updateRank(at: Int(previous[position])) }
        }
        var position: Int32 = 0
        while position >= 0 {
            model.emit(symbols[Int(position)], into: &output)
            position = next[Int(position)]
        }
    }

    private mutating func updateRank(at position: Int) {
        let right = Int(next[position])
        ranks[position] = right < 0 ? MergeTable.never : model.merges.merge(symbols[position], symbols[right]).rank
        if ranks[position] != MergeTable.never { queue.insert(rank: ranks[position], position: position) }
    }
}

/// Words of the text at hand whose tokens are in the output already. Of bounded size: a word displaces another one.
private struct RecentWords {
    private struct Entry {
        var textStart = 0
        var textCount: Int32 = 0
        var tokenCount: Int32 = 0
        var tokenStart = 0
    }

    private var entries: [Entry]
    private var slot = 0

    /// A slot for each eight bytes of text, 16,384 at most.
    init(textByteCount: Int) {
        var size = 1
        while size < 16_384, 8 * size < textByteCount { size *= 2 }
        entries = Array(repeating: Entry(), count: size)
    }

    /// Appends the tokens of an equal word earlier in the text; false if there is none at hand.
    mutating func copyTokens(of text: Span<UInt8>, _ range: Range<Int>, in output: inout [Int32]) -> Bool {
        slot = Int(truncatingIfNeeded: hashBytes(text, range, seed: 0x9E37_79B9_7F4A_7C15)) & (entries.count - 1)
        let entry = entries[slot]
        guard entry.textCount == range.count,
            equal(text, range, text, entry.textStart..<entry.textStart + range.count)
        else { return false }
        for index in 0..<Int(entry.tokenCount) { output.append(output[entry.tokenStart + index]) }
        return true
    }

    /// Remembers the word last asked for.
    mutating func remember(_ range: Range<Int>, tokens: Range<Int>) {
        entries[slot] = Entry(
            textStart: range.lowerBound, textCount: Int32(range.count), tokenCount: Int32(tokens.count),
            tokenStart: tokens.lowerBound)
    }
}

/// Merges that may be done, the lowest rank first and the leftmost among equals: a binary heap.
private struct MergeQueue {
    /// The rank in the upper half, the position in the lower.
    private var heap: [UInt64] = []

    /// Replaces what is in the queue by all positions that have a rank.
    mutating func fill(_ ranks: [UInt32]) {
        heap.removeAll(keepingCapacity: true)
        for position in ranks.indices where ranks[position] != MergeTable.never {
            heap.append(UInt64(ranks[position]) << 32 | UInt64(position))
        }
        for index in stride(from: heap.count / 2 - 1, through: 0, by: -1) { sink(index) }
    }

    mutating func insert(rank: UInt32, position: Int) {
        heap.append(UInt64(rank) << 32 | UInt64(position))
        var child = heap.count - 1
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popFirst() -> (rank: UInt32, position: Int)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink(0)
        }
        return (UInt32(first >> 32), Int(first & 0xFFFF_FFFF))
    }

    private mutating func sink(_ start: Int) {
        var parent = start
        while true {
            let child = 2 * parent + 1
            var least = parent
            if child < heap.count, heap[child] < heap[least] { least = child }
            if child + 1 < heap.count, heap[child + 1] < heap[least] { least = child + 1 }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
