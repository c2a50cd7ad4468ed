public import Checkpoints
public import ClusterCore
public import Transport

import Inference

extension ModelCosts {
    /// What a model costs, from the types and shapes of its tensors; its weights are not read.
    ///
    /// - Parameters:
    ///   - headPrecision: how exactly the head is kept.
    ///   - grid: on which grid a model with inner norms rounds their activations.
    public init(_ model: ModelFile, headPrecision: HeadPrecision = .automatic, grid: ActivationGrid = .exact) {
        let configuration = model.configuration
        let isTernary = model.layers.contains { $0.all.contains { $0.type.isTernary } }
        let head = WeightAmount(
            otherCount: Double(model.head.rows * model.head.columns),
            otherByteCount: Double(model.residentHeadByteCount(headPrecision)))
        let keyValueHeads = Double(configuration.keyValueHeadCount)
        let parts = RankParts(
            keyValueHeadCount: configuration.keyValueHeadCount, feedForwardSize: configuration.feedForwardSize,
            vocabularySize: configuration.vocabularySize)
        self.init(
            dimensions: ModelDimensions(
                name: configuration.name, parts: parts, hiddenSize: configuration.hiddenSize,
                querySize: configuration.querySize, keyValueSize: configuration.keyValueSize,
                feedForwardSize: configuration.feedForwardSize, vocabularySize: configuration.vocabularySize,
                contextLength: configuration.contextLength, isTernary: isTernary,
                hasSubNorms: configuration.hasSubNorms,
                keyValueValueByteCount: model.keyValuePrecision.byteCount),
            layers: model.layers.map { layer in
                let norms = layer.all.filter { $0.rows == 1 }
                return LayerCosts(
                    keyValueHead: [layer.query, layer.key, layer.value, layer.attentionOutput].amount
                        .divided(by: keyValueHeads),
                    feedForwardBlock: [layer.gate, layer.up, layer.down].amount
                        .divided(by: Double(parts.feedForwardBlockCount)),
                    normByteCount: norms.reduce(0) { $0 + Double($1.columns * 4) })
            }, head: head, embeddingByteCount: Double(model.embeddingByteCount), grid: grid)
    }
}

extension ModelCosts {
    /// What a ternary model of a known shape costs, with a head of bfloat16 that is kept in eight bits where that is
    /// the default.
    public init(_ shape: ModelShape, grid: ActivationGrid = .exact) {
        let query = shape.headCount * shape.headDimension
        let keyValue = shape.keyValueHeadCount * shape.headDimension
        let headCount = shape.vocabularySize * shape.hiddenSize
        let isReduced = headCount * 2 >= 32 << 20
        let parts = RankParts(
            keyValueHeadCount: shape.keyValueHeadCount, feedForwardSize: shape.feedForwardSize,
            vocabularySize: shape.vocabularySize)
        let norms = 2 * shape.hiddenSize + (shape.family == .bitNet ? query + shape.feedForwardSize : 0)
        let layer = LayerCosts(
            keyValueHead: WeightAmount(
                ternaryCount: Double(2 * shape.hiddenSize * (query + keyValue)) / Double(shape.keyValueHeadCount)),
            feedForwardBlock: WeightAmount(
                ternaryCount: Double(3 * shape.hiddenSize * shape.feedForwardSize)
                    / Double(parts.feedForwardBlockCount)),
            normByteCount: Double(norms * 4))
        self.init(
            dimensions: ModelDimensions(
                name: shape.name, parts: parts, hiddenSize: shape.hiddenSize, querySize: query, keyValueSize: keyValue,
                feedForwardSize: shape.feedForwardSize, vocabularySize: shape.vocabularySize,
                contextLength: shape.contextLength, isTernary: true, hasSubNorms: shape.family == .bitNet,
                keyValueValueByteCount: 4),
            layers: [LayerCosts](repeating: layer, count: shape.layerCount),
            head: WeightAmount(
                otherCount: Double(headCount),
                otherByteCount: Double(
                    shape.hiddenSize * 4
                        + (isReduced ? shape.vocabularySize * (shape.hiddenSize + 4) : 2 * headCount))),
            embeddingByteCount: Double(2 * headCount), grid: grid)
    }
}

/// What the costs of a model follow from besides its weights.
private struct ModelDimensions {
    var name: String
    var parts: RankParts
    var hiddenSize: Int
    var querySize: Int
    var keyValueSize: Int
    var feedForwardSize: Int
    var vocabularySize: Int
    var contextLength: Int
    var isTernary: Bool
    var hasSubNorms: Bool
    /// Bytes of each value of a key.
    var keyValueValueByteCount: Int
}

extension ModelCosts {
    fileprivate init(
        dimensions: ModelDimensions, layers: [LayerCosts], head: WeightAmount, embeddingByteCount: Double,
        grid: ActivationGrid
    ) {
        let heads = Double(dimensions.parts.keyValueHeadCount)
        let floats =
            dimensions.hiddenSize + dimensions.querySize + 2 * dimensions.keyValueSize + dimensions.feedForwardSize
        // Quantised activations with their scales, rounded up to two bytes.
        let quantised = dimensions.hiddenSize + dimensions.querySize + dimensions.feedForwardSize
        self.init(
            name: dimensions.name, parts: dimensions.parts, hiddenSize: dimensions.hiddenSize,
            vocabularySize: dimensions.vocabularySize, contextLength: dimensions.contextLength, layers: layers,
            vocabularyChunk: head.divided(by: Double(dimensions.parts.vocabularyChunkCount)),
            embeddingByteCount: embeddingByteCount,
            keyValueByteCount: 2 * Double(dimensions.keyValueSize * dimensions.keyValueValueByteCount) / heads,
            attentionMultiplyAdds: 2 * Double(dimensions.querySize) / heads,
            synchronisation: SynchronisationCosts(
                bytesPerValue: dimensions.isTernary && grid == .exact ? 4 : 8,
                scalarCount: dimensions.isTernary && grid == .exact ? 2 : 0),
            workspaceByteCountPerRow: Double(4 * floats + 2 * quantised))
    }
}

extension [TensorDescription] {
    /// Ternary weights by their number, others at the size that they have in memory, which is that of the file.
    fileprivate var amount: WeightAmount {
        reduce(into: WeightAmount.none) { sum, tensor in
            let count = Double(tensor.rows * tensor.columns)
            if tensor.type.isTernary {
                sum.ternaryCount += count
            } else {
                sum.otherCount += count
                sum.otherByteCount += Double(tensor.byteCount)
            }
        }
    }
}

extension WeightAmount {
    fileprivate func divided(by count: Double) -> WeightAmount {
        WeightAmount(
            ternaryCount: ternaryCount / count, otherCount: otherCount / count, otherByteCount: otherByteCount / count)
    }
}
