/// How fast what a layer does besides its products is, measured with the real kernels and made-up activations.
extension Compute {
    /// Seconds that one row of 2,560 values takes for a layer's norms, rotations and rounding. Of several rounds
    /// the best counts: threads that are kept waiting by something else are no property of the kernels.
    public func layerSeconds() throws(KernelError) -> Double {
        let columns = Self.layerColumns
        let shape = Self.attentionShape
        let cache = try Self.cache(layers: 1, positions: 16)
        let rotary = try Self.rotary(positions: 16)
        let plan = try AttentionPlan([.init(rowCount: 1, startPosition: 0, blocks: [0])])
        let weight = try Tensor(rows: 1, columns: columns)
        let hidden = try Tensor(rows: 1, columns: columns)
        var queryKeyValue = try Tensor(rows: 1, columns: (shape.queryHeads + 2 * shape.heads) * shape.dimension)
        var narrow = try Activations(rows: 1, columns: columns)
        // As wide as feed-forward networks usually are.
        var wide = try Activations(rows: 1, columns: 8 * columns / 3 / 32 * 32)
        return Self.best {
            for _ in 0..<Self.layerRepetitions {
                normalise(hidden, rows: 1, weight: weight, epsilon: 1e-5, into: &narrow)
                rotateAndStore(
                    &queryKeyValue, queryHeadCount: shape.queryHeads, rotary: rotary, cache: cache, layer: 0, plan: plan
                )
                quantise(&narrow, rows: 1)
                normalise(hidden, rows: 1, weight: weight, epsilon: 1e-5, into: &narrow)
                quantise(&wide, rows: 1)
            }
        } / Double(Self.layerRepetitions)
    }

    /// Bytes of keys and values a second that one row attends to, which lie in memory and not in a cache; and
    /// multiply–adds a second of the attention of as many rows as a prefill has.
    public func attentionRates() throws(KernelError) -> (bytesPerSecond: Double, multiplyAddsPerSecond: Double) {
        let one = try attentionSeconds(rows: 1)
        let many = try attentionSeconds(rows: Self.attentionRowCount)
        let shape = Self.attentionShape
        let cached = Double(Self.attentionPositions * shape.heads * shape.dimension * 2 * 2)
        let multiplyAdds = Double(
            Self.attentionRowCount * Self.attentionPositions * shape.queryHeads * shape.dimension * 2)
        return (cached / one, multiplyAdds / many)
    }

    /// Of one layer, behind so many positions that the rows are the last of them.
    private func attentionSeconds(rows: Int) throws(KernelError) -> Double {
        let shape = Self.attentionShape
        let layers = rows == 1 ? Self.attentionLayers : 1
        let cache = try Self.cache(layers: layers, positions: Self.attentionPositions)
        let rotary = try Self.rotary(positions: Self.attentionPositions)
        let blocks = (0..<UInt32(Self.attentionPositions / KeyValueCache.blockPositions)).map { $0 }
        let columns = (shape.queryHeads + 2 * shape.heads) * shape.dimension
        // All positions have been stored before: what was never written would be one page of zeroes.
        var all = try Tensor(rows: Self.attentionPositions, columns: columns)
        let filling = try AttentionPlan([.init(rowCount: Self.attentionPositions, startPosition: 0, blocks: blocks)])
        for layer in 0..<layers {
            rotateAndStore(
                &all, queryHeadCount: shape.queryHeads, rotary: rotary, cache: cache, layer: layer, plan: filling)
        }
        let plan = try AttentionPlan([
            .init(rowCount: rows, startPosition: Self.attentionPositions - rows, blocks: blocks)
        ])
        var output = try Activations(rows: rows, columns: shape.queryHeads * shape.dimension)
        return Self.best {
            for layer in 0..<layers {
                attend(
                    all, queryHeadCount: shape.queryHeads, scale: 0.1, cache: cache, layer: layer, plan: plan,
                    into: &output)
            }
        } / Double(layers)
    }

    private static func cache(layers: Int, positions: Int) throws(KernelError) -> KeyValueCache {
        try KeyValueCache(
            blockCount: (positions + KeyValueCache.blockPositions - 1) / KeyValueCache.blockPositions,
            layerCount: layers, headCount: attentionShape.heads, headDimension: attentionShape.dimension)
    }

    private static func rotary(positions: Int) throws(KernelError) -> RotaryTable {
        try RotaryTable(
            base: 10_000, positionScale: 1, rotatedDimension: attentionShape.dimension, frequencyFactors: nil,
            pairsHalves: true, positions: positions)
    }

    /// Seconds of the quickest of some rounds; of fewer if they take long.
    static func best(_ body: () -> Void) -> Double {
        var best = Double.infinity
        let deadline = ContinuousClock.now + bestBudget
        for round in 0..<bestRounds where round == 0 || ContinuousClock.now < deadline {
            best = min(best, ContinuousClock().measure(body) / .seconds(1))
        }
        return best
    }

    private static var bestRounds: Int { 5 }
    private static var bestBudget: Duration { .milliseconds(50) }
    private static var layerColumns: Int { 2560 }
    private static var layerRepetitions: Int { 20 }
    /// Of a model of that width with grouped queries.
    private static var attentionShape: (queryHeads: Int, heads: Int, dimension: Int) { (20, 5, 128) }
    private static var attentionPositions: Int { 512 }
    /// 40 MiB together.
    private static var attentionLayers: Int { 32 }
    private static var attentionRowCount: Int { 16 }
}
