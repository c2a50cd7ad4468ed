import TestSupport
import ClusterCore
import Testing

struct LayerSplitTests {
    @Test func `thirty equal layers over three stages with a heavy head leave the last stage fewer layers`() throws {
        let layout = try ModelLayout(
            layerByteCounts: [UInt64](repeating: 100, count: 30), embeddingByteCount: 600, headByteCount: 600)
        #expect(try LayerSplit.balanced(layout, over: [1, 1, 1]).ranges == [0..<12, 12..<24, 24..<30])
    }

    @Test func `a stage of several ranks holds as many times the layers`() throws {
        let layout = try ModelLayout(
            layerByteCounts: [UInt64](repeating: 100, count: 30), embeddingByteCount: 600, headByteCount: 0)
        #expect(try LayerSplit.balanced(layout, over: [2, 1, 3]).ranges == [0..<10, 10..<15, 15..<30])
        #expect(try LayerSplit.balanced(layout, over: [5]).ranges == [0..<30])
    }

    @Test func `as many stages as layers hold one layer each`() throws {
        let layout = try ModelLayout(
            layerByteCounts: [UInt64](repeating: 100, count: 30), embeddingByteCount: 0, headByteCount: 900)
        let ranks = [Int](repeating: 1, count: 30)
        #expect(try LayerSplit.balanced(layout, over: ranks).ranges == (0..<30).map { $0..<($0 + 1) })
    }

    @Test(arguments: 0..<200)
    func `every layer is held once, no stage is empty, and no split has a faster slowest stage`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let layerCount = Int.random(in: 1...9, using: &random)
        let layers = (0..<layerCount).map { _ in UInt64.random(in: 0...50, using: &random) }
        let head = UInt64.random(in: 0...80, using: &random)
        let layout = try ModelLayout(layerByteCounts: layers, embeddingByteCount: 10, headByteCount: head)
        for stageCount in 1...layerCount {
            let ranks = (0..<stageCount).map { _ in [1, 1, 2, 3, 4].randomElement(using: &random) ?? 1 }
            let ranges = try LayerSplit.balanced(layout, over: ranks).ranges
            #expect(ranges.count == stageCount)
            #expect(ranges.allSatisfy { !$0.isEmpty })
            #expect(ranges.flatMap { Array($0) } == Array(0..<layerCount))
            let best = allSplits(of: 0..<layerCount, into: stageCount).map {
                longest($0, ranks, layers, head)
            }.min()
            #expect(longest(ranges, ranks, layers, head) == best)
        }
    }

    @Test func `a split over no stages or more than layers is refused`() throws {
        let layout = try ModelLayout(layerByteCounts: [1, 2], embeddingByteCount: 0, headByteCount: 0)
        #expect(throws: PlanningError.stageCount(0, layerCount: 2)) { try LayerSplit.balanced(layout, over: []) }
        #expect(throws: PlanningError.stageCount(3, layerCount: 2)) {
            try LayerSplit.balanced(layout, over: [1, 1, 1])
        }
        #expect(throws: PlanningError.shape("a stage has no rank; give each at least one")) {
            try LayerSplit.balanced(layout, over: [1, 0])
        }
    }

    @Test func `byte counts that no file can have are refused`() {
        #expect(throws: PlanningError.tooLarge) {
            try ModelLayout(layerByteCounts: [.max, 2], embeddingByteCount: 0, headByteCount: 0)
        }
        #expect(throws: PlanningError.noLayers) {
            try ModelLayout(layerByteCounts: [], embeddingByteCount: 0, headByteCount: 0)
        }
    }

    @Test func `an operator's split is taken as it is if it covers the model`() throws {
        #expect(try LayerSplit.explicit([0..<1, 1..<10], layerCount: 10).ranges == [0..<1, 1..<10])
        #expect(throws: PlanningError.ranges("stage 1 begins with layer 4; make it begin with layer 3")) {
            try LayerSplit.explicit([0..<3, 4..<10], layerCount: 10)
        }
        #expect(
            throws: PlanningError.ranges(
                "the stages hold 9 layers, the model has 10; make the last stage end with layer 9")
        ) {
            try LayerSplit.explicit([0..<3, 3..<9], layerCount: 10)
        }
    }

    /// Of all stages, in whole bytes that each rank reads.
    private func longest(_ ranges: [Range<Int>], _ ranks: [Int], _ layers: [UInt64], _ head: UInt64) -> UInt64 {
        zip(ranges, ranks).map { range, rankCount in
            let bytes = layers[range].reduce(0, +) + (range.upperBound == layers.count ? head : 0)
            return bytes / UInt64(rankCount) + (bytes % UInt64(rankCount) == 0 ? 0 : 1)
        }.max() ?? 0
    }

    private func allSplits(of layers: Range<Int>, into stageCount: Int) -> [[Range<Int>]] {
        if stageCount == 1 { return [[layers]] }
        return (layers.lowerBound + 1..<layers.upperBound).flatMap { end in
            allSplits(of: end..<layers.upperBound, into: stageCount - 1).map { [layers.lowerBound..<end] + $0 }
        }
    }
}
