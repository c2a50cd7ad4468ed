import Transport

/// How many parts of a stage each of its ranks holds.
struct PartCounts: Equatable {
    var keyValueHeads: [Int]
    var feedForwardBlocks: [Int]
    /// All zero but on the last stage.
    var vocabularyChunks: [Int]

    /// Neighbouring ranges in the order of ranks.
    var shares: [RankShare] {
        var (head, block, chunk) = (0, 0, 0)
        return keyValueHeads.indices.map { rank in
            defer {
                head += keyValueHeads[rank]
                block += feedForwardBlocks[rank]
                chunk += vocabularyChunks[rank]
            }
            return RankShare(
                keyValueHeads: head..<head + keyValueHeads[rank],
                feedForwardBlocks: block..<block + feedForwardBlocks[rank],
                vocabularyChunks: chunk..<chunk + vocabularyChunks[rank])
        }
    }

    /// Shares out equal parts so that the slowest is done as early as can be: each part goes to whom it would make
    /// finish first (the method of D'Hondt, which is optimal for that).
    ///
    /// - Parameters:
    ///   - secondsPerPart: what a part costs each, over 0.
    ///   - minimum: parts that each has at the least; `minimum × secondsPerPart.count` is at most `partCount`.
    ///   - limits: the most that each may have; nil is no limit.
    /// - Returns: nil if the limits leave parts over.
    static func leastMaximum(
        partCount: Int, secondsPerPart: [Double], minimum: Int, limits: [Int]? = nil
    ) -> [Int]? {
        let speed = secondsPerPart.reduce(0) { $0 + 1 / $1 }
        // Nobody gets less than the whole part of an exact share, so only the rest has to be dealt out one by one.
        var counts = secondsPerPart.indices.map { index in
            let quota = Int((Double(partCount) / secondsPerPart[index] / speed).rounded(.down))
            return min(max(minimum, quota), limits?[index] ?? .max)
        }
        if counts.reduce(0, +) > partCount { counts = counts.map { min($0, minimum) } }
        guard counts.allSatisfy({ $0 >= minimum }) else { return nil }
        var left = partCount - counts.reduce(0, +)
        while left > 0 {
            var best = -1
            for index in counts.indices where counts[index] < limits?[index] ?? .max {
                let seconds = Double(counts[index] + 1) * secondsPerPart[index]
                if best < 0 || seconds < Double(counts[best] + 1) * secondsPerPart[best] { best = index }
            }
            guard best >= 0 else { return nil }
            counts[best] += 1
            left -= 1
        }
        return counts
    }
}
