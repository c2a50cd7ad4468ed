/// Which stage holds which layers: contiguous ranges in order, none empty, all layers exactly once.
public struct LayerSplit: Sendable, Equatable {
    /// One for each stage.
    public let ranges: [Range<Int>]

    /// Balances the time that a token takes in each stage, counted in bytes that each of its ranks reads: those of its
    /// layers, and of the head on the last stage, divided by the number of ranks.
    ///
    /// The slowest stage is as fast as it can be. Among the splits for which that holds, the sum of the squares is
    /// smallest, so that the other stages are even, too. Dynamic programming over (stage, first layer); about
    /// `stageCount × layerCount²` operations.
    /// - Parameter ranks: how many ranks each stage has.
    /// - Throws: `PlanningError.stageCount` unless there are `1...layout.layerCount` stages, `.shape` if one has no rank.
    public static func balanced(_ layout: ModelLayout, over ranks: [Int]) throws(PlanningError) -> LayerSplit {
        let layerCount = layout.layerCount
        guard (1...layerCount).contains(ranks.count) else {
            throw .stageCount(ranks.count, layerCount: layerCount)
        }
        guard ranks.allSatisfy({ $0 > 0 }) else { throw .shape("a stage has no rank; give each at least one") }
        let times = StageTimes(layout)
        let limit = shortestMaximum(times, over: ranks)

        // costs[first] is the least sum of squares for the layers from `first` on, in as many stages as are done;
        // ends[stage][first] is where the first of those stages ends. The last stage comes first.
        var costs = (0...layerCount).map { first -> UInt128? in
            guard first < layerCount else { return nil }
            let time = times.time(of: first..<layerCount, over: ranks[ranks.count - 1])
            return time <= limit ? square(time) : nil
        }
        var ends = [[Int](repeating: layerCount, count: layerCount + 1)]
        for rankCount in ranks.dropLast().reversed() {
            var next = [UInt128?](repeating: nil, count: layerCount + 1)
            var nextEnds = [Int](repeating: layerCount, count: layerCount + 1)
            for first in 0..<layerCount {
                for end in (first + 1)..<(layerCount + 1) {
                    let time = times.time(of: first..<end, over: rankCount)
                    guard end < layerCount, time <= limit, let rest = costs[end] else { continue }
                    let cost = square(time) + rest
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
        for stage in ranks.indices {
            let end = ends[ranks.count - 1 - stage][first]
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

    /// The least time that the slowest stage can take.
    private static func shortestMaximum(_ times: StageTimes, over ranks: [Int]) -> UInt64 {
        let layerCount = times.layerCount
        var maxima =
            (0..<layerCount).map { times.time(of: $0..<layerCount, over: ranks[ranks.count - 1]) } + [.max]
        for rankCount in ranks.dropLast().reversed() {
            maxima = (0...layerCount).map { first in
                var best = UInt64.max
                for end in stride(from: first + 1, to: layerCount, by: 1) {
                    best = min(best, max(times.time(of: first..<end, over: rankCount), maxima[end]))
                }
                return best
            }
        }
        return maxima[0]
    }

    private static func square(_ time: UInt64) -> UInt128 { UInt128(time) * UInt128(time) }
}

/// How long a token takes in a stage, in bytes that each of its ranks reads.
private struct StageTimes {
    private let prefixSums: [UInt64]
    private let headByteCount: UInt64

    init(_ layout: ModelLayout) {
        prefixSums = layout.layerByteCounts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
        headByteCount = layout.headByteCount
    }

    var layerCount: Int { prefixSums.count - 1 }

    /// Rounded up to whole bytes: nothing hangs on a part of one.
    func time(of layers: Range<Int>, over rankCount: Int) -> UInt64 {
        let byteCount =
            prefixSums[layers.upperBound] - prefixSums[layers.lowerBound]
            + (layers.upperBound == layerCount ? headByteCount : 0)
        return (byteCount + UInt64(rankCount) - 1) / UInt64(rankCount)
    }
}
