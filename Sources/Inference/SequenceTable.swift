package import Kernels
package import Transport

/// Which KV blocks belong to which sequence, and how far each has come.
package struct SequenceTable {
    private struct Entry {
        var tokenCount = 0
        var blocks: [UInt32] = []
    }

    private var entries: [SequenceID: Entry] = [:]
    private var freeBlocks: [UInt32]
    let contextLength: Int
    package let blockCount: Int

    package init(blockCount: Int, contextLength: Int) {
        self.blockCount = blockCount
        self.contextLength = contextLength
        // Taken from the end, so that the lowest numbers are used first and untouched memory stays untouched.
        freeBlocks = (0..<UInt32(blockCount)).reversed()
    }

    /// Tokens whose keys and values are held.
    package var tokenCount: Int { entries.values.reduce(0) { $0 + $1.tokenCount } }

    package mutating func release(_ sequence: SequenceID) {
        if let entry = entries.removeValue(forKey: sequence) { freeBlocks += entry.blocks.reversed() }
    }

    /// Checks that all slices continue their sequences, or rewind them, and fit; takes the blocks they need, and plans them.
    /// If any does not, nothing changes.
    package mutating func extend(_ slices: [SequenceSlice]) throws(InferenceError) -> [AttentionPlan.Slice] {
        var needed = 0
        for slice in slices {
            let entry = entries[slice.sequence] ?? Entry()
            let end = slice.startPosition + slice.tokens.count
            // What lies beyond the end was lost on the way, whether or not the slice rewinds.
            guard
                slice.startPosition == entry.tokenCount || slice.rewinds && slice.startPosition < entry.tokenCount
            else {
                throw .distribution(
                    "sequence \(slice.sequence.number): a slice begins at position \(slice.startPosition), but "
                        + "\(entry.tokenCount) tokens are cached")
            }
            guard end <= contextLength else {
                throw .validation(
                    "sequence \(slice.sequence.number): \(end) tokens, but the context holds \(contextLength)")
            }
            needed += Self.blocks(for: end) - entry.blocks.count
        }
        guard Set(slices.map(\.sequence)).count == slices.count else {
            throw .distribution("a step has two slices of one sequence")
        }
        guard needed <= freeBlocks.count else {
            throw .distribution(
                "the KV cache is full: \(needed) blocks needed, \(freeBlocks.count) of \(blockCount) free; raise "
                    + "kv_tokens or lower maximum_running")
        }
        for slice in slices where slice.rewinds {
            truncate(slice.sequence, to: slice.startPosition + slice.tokens.count)
        }
        return slices.map { slice in
            var entry = entries[slice.sequence] ?? Entry()
            let end = slice.startPosition + slice.tokens.count
            while entry.blocks.count < Self.blocks(for: end) { entry.blocks.append(freeBlocks.removeLast()) }
            entry.tokenCount = end
            entries[slice.sequence] = entry
            return AttentionPlan.Slice(
                rowCount: slice.tokens.count, startPosition: slice.startPosition, blocks: entry.blocks)
        }
    }

    /// Gives back the blocks that so many tokens do not need. Keys and values behind them stay where they are: those
    /// that a slice writes over them are read, as nothing beyond a row's own position ever is.
    private mutating func truncate(_ sequence: SequenceID, to tokenCount: Int) {
        guard var entry = entries[sequence] else { return }
        while entry.blocks.count > Self.blocks(for: tokenCount) { freeBlocks.append(entry.blocks.removeLast()) }
        entry.tokenCount = min(entry.tokenCount, tokenCount)
        entries[sequence] = entry
    }

    package static func blocks(for tokenCount: Int) -> Int {
        (tokenCount + KeyValueCache.blockPositions - 1) / KeyValueCache.blockPositions
    }
}
