import Transport

/// Which rank of a stage holds which of a number of parts.
public enum RankSplit {
    /// Contiguous ranges in order, one for each weight, that together are `0..<count`. Sizes are in proportion to the
    /// weights by the method of largest remainders; of equal remainders the lower index comes first.
    ///
    /// Where there are parts enough, no range is empty: a rank that is due less than one part gets one, and the others
    /// share the rest.
    /// - Parameters:
    ///   - count: parts, not negative.
    ///   - weights: how much each rank is to have, in any unit. If all are 0, they count as equal.
    public static func apportioned(count: Int, weights: [UInt64]) -> [Range<Int>] {
        guard !weights.isEmpty else { return [] }
        let equal = [UInt64](repeating: 1, count: weights.count)
        var first = 0
        return sizes(count: max(0, count), weights: weights.allSatisfy { $0 == 0 } ? equal : weights).map { size in
            defer { first += size }
            return first..<(first + size)
        }
    }

    private static func sizes(count: Int, weights: [UInt64]) -> [Int] {
        var sizes = [Int](repeating: 0, count: weights.count)
        var sharing = Array(weights.indices)
        var rest = UInt128(count)
        var total = weights.reduce(UInt128(0)) { $0 + UInt128($1) }
        if count >= weights.count {
            // One part for those due less leaves less for the others, so that more of them may come to be due less.
            while true {
                let small = Set(sharing.filter { rest * UInt128(weights[$0]) < total })
                if small.isEmpty { break }
                for rank in small { sizes[rank] = 1 }
                sharing.removeAll(where: small.contains)
                rest -= UInt128(small.count)
                total = sharing.reduce(0) { $0 + UInt128(weights[$1]) }
            }
        }
        var remainders: [(rank: Int, remainder: UInt128)] = []
        var assigned = 0
        for rank in sharing {
            let (quotient, remainder) = (rest * UInt128(weights[rank])).quotientAndRemainder(dividingBy: total)
            sizes[rank] = Int(quotient)
            assigned += sizes[rank]
            remainders.append((rank, remainder))
        }
        remainders.sort { ($1.remainder, $0.rank) < ($0.remainder, $1.rank) }
        for (rank, _) in remainders.prefix(Int(rest) - assigned) { sizes[rank] += 1 }
        return sizes
    }
}

extension RankParts {
    /// What each rank of a stage holds. Heads, blocks and chunks are apportioned each on their own, because ranks wait for
    /// each other after the attention, after the feed-forward part and after the head.
    public func shares(weights: [UInt64]) -> [RankShare] {
        let heads = RankSplit.apportioned(count: keyValueHeadCount, weights: weights)
        let blocks = RankSplit.apportioned(count: feedForwardBlockCount, weights: weights)
        let chunks = RankSplit.apportioned(count: vocabularyChunkCount, weights: weights)
        return weights.indices.map { rank in
            RankShare(
                keyValueHeads: heads[rank], feedForwardBlocks: blocks[rank], vocabularyChunks: chunks[rank])
        }
    }
}
