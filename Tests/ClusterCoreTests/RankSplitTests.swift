import ClusterCore
import TestSupport
import Testing
import Transport

struct RankSplitTests {
    @Test func `five heads over two, three and four equal ranks are uneven, the first ones having more`() {
        func sizes(_ rankCount: Int) -> [Int] {
            RankSplit.apportioned(count: 5, weights: [UInt64](repeating: 7, count: rankCount)).map(\.count)
        }
        #expect(sizes(1) == [5])
        #expect(sizes(2) == [3, 2])
        #expect(sizes(3) == [2, 2, 1])
        #expect(sizes(4) == [2, 1, 1, 1])
        #expect(sizes(5) == [1, 1, 1, 1, 1])
        #expect(sizes(7) == [1, 1, 1, 1, 1, 0, 0])
    }

    @Test func `uneven weights give uneven parts, and the slowest rank one at least`() {
        #expect(RankSplit.apportioned(count: 27, weights: [2, 1]) == [0..<18, 18..<27])
        #expect(RankSplit.apportioned(count: 10, weights: [1, 1, 8]) == [0..<1, 1..<2, 2..<10])
        #expect(RankSplit.apportioned(count: 5, weights: [0, 100, 1]) == [0..<1, 1..<4, 4..<5])
        #expect(RankSplit.apportioned(count: 4, weights: [0, 0, 0]) == [0..<2, 2..<3, 3..<4])
        #expect(RankSplit.apportioned(count: 2, weights: [1, 3, 2]) == [0..<0, 0..<1, 1..<2])
        #expect(RankSplit.apportioned(count: 0, weights: [1, 3]) == [0..<0, 0..<0])
        #expect(RankSplit.apportioned(count: 3, weights: []) == [])
        #expect(RankSplit.apportioned(count: 3, weights: [.max, .max, .max]) == [0..<1, 1..<2, 2..<3])
    }

    @Test(arguments: 0..<300)
    func `every part is held once, in order, each rank has its due to within one, and one part where there are enough`(
        seed: Int
    ) {
        var random = SeededGenerator(seed: UInt64(seed))
        let rankCount = Int.random(in: 1...12, using: &random)
        let count = Int.random(in: 0...60, using: &random)
        let weights = (0..<rankCount).map { _ in UInt64.random(in: 0...9, using: &random) }
        let ranges = RankSplit.apportioned(count: count, weights: weights)
        #expect(ranges.count == rankCount)
        #expect(ranges.flatMap { Array($0) } == Array(0..<count))
        if count >= rankCount { #expect(ranges.allSatisfy { !$0.isEmpty }) }
        let total = weights.reduce(0, +)
        guard total > 0 else { return }
        let dues = weights.map { count * Int($0) }
        guard count < rankCount || dues.allSatisfy({ $0 >= Int(total) }) else { return }
        for (range, due) in zip(ranges, dues) { #expect(abs(range.count * Int(total) - due) < Int(total)) }
    }

    @Test(arguments: 1..<20) func `equal ranks are as even as can be`(rankCount: Int) {
        for count in 0...60 {
            let sizes = RankSplit.apportioned(count: count, weights: [UInt64](repeating: 3, count: rankCount))
                .map(\.count)
            #expect(sizes == sizes.sorted(by: >))
            #expect(sizes[0] - sizes[rankCount - 1] <= 1)
        }
    }

    @Test(arguments: 0..<100) func `a faster rank never has less than a slower one`(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        let weights = (0..<6).map { _ in UInt64.random(in: 1...50, using: &random) }.sorted()
        let sizes = RankSplit.apportioned(count: Int.random(in: 6...90, using: &random), weights: weights).map(\.count)
        for (slower, faster) in zip(zip(weights, sizes), zip(weights, sizes).dropFirst()) where slower.0 < faster.0 {
            #expect(slower.1 <= faster.1)
        }
    }

    @Test func `shares are apportioned each on their own, and the vocabulary may not be enough for all`() {
        // As BitNet 2B4T has it, but with a small vocabulary.
        let parts = RankParts(keyValueHeadCount: 5, feedForwardSize: 6912, vocabularySize: 1000)
        #expect(
            parts.shares(weights: [1, 1, 1]) == [
                RankShare(keyValueHeads: 0..<2, feedForwardBlocks: 0..<9, vocabularyChunks: 0..<1),
                RankShare(keyValueHeads: 2..<4, feedForwardBlocks: 9..<18, vocabularyChunks: 1..<2),
                RankShare(keyValueHeads: 4..<5, feedForwardBlocks: 18..<27, vocabularyChunks: 2..<2),
            ])
        #expect(parts.shares(weights: [1]) == [parts.whole])
    }
}
