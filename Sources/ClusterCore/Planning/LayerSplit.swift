/// Which stage holds which layers: contiguous ranges in order, none empty, all layers exactly once.
public struct LayerSplit: Sendable, Equatable {
    /// One for each stage.
    public let ranges: [Range<Int>]

    /// Balances the bytes that a token makes each stage read: its layers, and the head on the last stage.
    ///
    /// The heaviest stage is as light as it can be. Among the splits for which that holds, the sum of the squares is
    /// smallest, so that the other stages are even, too. Dynamic programming over (stage, first layer); about
    /// `stageCount × layerCount²` operations.
    /// - Throws: `PlanningError.stageCount` unless `stageCount` is in `1...layout.layerCount`.
    public static func balanced(_ layout: ModelLayout, over stageCount: Int) throws(PlanningError) -> LayerSplit {
        let layerCount = layout.layerCount
        guard (1...layerCount).contains(stageCount) else {
            throw .stageCount(stageCount, layerCount: layerCount)
        }
        let weights = StageWeights(layout)
        let limit = smallestMaximum(weights, over: stageCount)

        // costs[first] is the least sum of squares for the layers from `first` on, in as many stages as are done;
        // ends[stage][first] is where the first of those stages ends.
        var costs = (0...layerCount).map { first -> UInt128? in
            guard first < layerCount else { return nil }
            let weight = weights.weight(of: first..<layerCount)
            return weight <= limit ? square(weight) : nil
        }
        var ends = [[Int](repeating: layerCount, count: layerCount + 1)]
        for _ in 1..<stageCount {
            var next = [UInt128?](repeating: nil, count: layerCount + 1)
            var nextEnds = [Int](repeating: layerCount, count: layerCount + 1)
            for first in 0..<layerCount {
                for end in (first + 1)..<(layerCount + 1) {
                    let weight = weights.weight(of: first..<end)
                    guard end < layerCount, weight <= limit, let rest = costs[end] else { continue }
                    let cost = square(weight) + rest
                    if next[first].map({ cost < $0 }) ?? true {
                        next[first] = cost
                        nextEnds[first] = end
                    }
                }
            }
            costs = next
            ends.append(nextEnds)
        }

        var ranges: [Range<Int>] = []
        var first = 0
        for stage in 0..<stageCount {
            let end = ends[stageCount - 1 - stage][first]
            ranges.append(first..<end)
            first = end
        }
        return LayerSplit(ranges: ranges)
    }

    /// Takes a split as the operator wrote it.
    /// - Throws: `PlanningError.ranges` unless the ranges cover `0..<layerCount` one after the other.
    public static func explicit(_ ranges: [Range<Int>], layerCount: Int) throws(PlanningError) -> LayerSplit {
        var first = 0
        for (stage, range) in ranges.enumerated() {
            guard range.lowerBound == first, !range.isEmpty else {
                throw .ranges("stage \(stage) begins with layer \(range.lowerBound); make it begin with layer \(first)")
            }
            first = range.upperBound
        }
        guard first == layerCount else {
            throw .ranges(
                "the stages hold \(first) layers, the model has \(layerCount); "
                    + "make the last stage end with layer \(layerCount - 1)")
        }
        return LayerSplit(ranges: ranges)
    }

    private init(ranges: [Range<Int>]) { self.ranges = ranges }

    /// The least weight that the heaviest of `stageCount` stages can have.
    private static func smallestMaximum(_ weights: StageWeights, over stageCount: Int) -> UInt64 {
        var maxima = (0..<weights.layerCount).map { weights.weight(of: $0..<weights.layerCount) } + [.max]
        for _ in 1..<stageCount {
            maxima = (0...weights.layerCount).map { first in
                var best = UInt64.max
                for end in stride(from: first + 1, to: weights.layerCount, by: 1) {
                    best = min(best, max(weights.weight(of: first..<end), maxima[end]))
                }
                return best
            }
        }
        return maxima[0]
    }

    private static func square(_ weight: UInt64) -> UInt128 { UInt128(weight) * UInt128(weight) }
}

/// Bytes that a range of layers makes its stage read per token.
private struct StageWeights {
    private let prefixSums: [UInt64]
    private let headByteCount: UInt64

    init(_ layout: ModelLayout) {
        prefixSums = layout.layerByteCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        headByteCount = layout.headByteCount
    }

    var layerCount: Int { prefixSums.count - 1 }

    func weight(of layers: Range<Int>) -> UInt64 {
        prefixSums[layers.upperBound] - prefixSums[layers.lowerBound]
            + (layers.upperBound == layerCount ? headByteCount : 0)
    }
}
