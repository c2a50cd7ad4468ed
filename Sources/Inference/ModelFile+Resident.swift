public import Checkpoints
public import Transport

/// What a model's weights take in memory, and so what each token makes a stage read. It is foreseen from types and shapes
/// alone, before anything is loaded, and right within ten per cent where ternary weights are kept in two bits.
extension ModelFile {
    /// Bytes of each layer's weights, in order.
    public var residentLayerByteCounts: [Int] { layers.map(\.residentByteCount) }

    /// Bytes of what one rank of a stage holds: its share of some layers, and of norm and head if the last one is among them.
    public func residentByteCount(layers: Range<Int>, share: RankShare, headPrecision: HeadPrecision) -> Int {
        let ranges = RankRanges(share, of: configuration)
        let held = layers.reduce(0) { $0 + self.layers[$1].residentByteCount(ranges, of: configuration) }
        guard layers.upperBound == configuration.layerCount else { return held }
        return held + residentHeadByteCount(headPrecision) * ranges.vocabulary.count / configuration.vocabularySize
    }

    /// Bytes of what the last stage holds beyond its layers: output norm and head, also if the head is tied.
    public func residentHeadByteCount(_ precision: HeadPrecision) -> Int {
        let head =
            precision.reduces(head, ofTernaryModel: isTernary)
            // One byte to a weight and a float32 scale to a row.
            ? head.rows * (head.columns + 4) : head.residentByteCount
        return outputNorm.residentByteCount + head
    }
}

extension LayerTensors {
    /// Bytes of the layer's weights in memory; see `ModelFile.residentLayerByteCounts`.
    public var residentByteCount: Int { all.reduce(0) { $0 + $1.residentByteCount } }

    /// What one rank holds of it.
    fileprivate func residentByteCount(_ ranges: RankRanges, of configuration: ModelConfiguration) -> Int {
        let feedForward = [gate, up, down].reduce(0) { $0 + $1.residentByteCount }
        let attention = [query, key, value, attentionOutput].reduce(0) { $0 + $1.residentByteCount }
        let norms = residentByteCount - attention - feedForward
        return norms + attention * ranges.query.count / configuration.querySize
            + feedForward * ranges.feedForward.count / configuration.feedForwardSize
    }
}

extension TensorDescription {
    /// Vectors become float32 and ternary matrices two bits to a weight; others are as large as in the file.
    fileprivate var residentByteCount: Int {
        if rows == 1 { return columns * 4 }
        // Rows of ternary weights lie in steps of 16 columns, 4 bytes each.
        return type.isTernary ? rows * ((columns + 15) / 16 * 4) : byteCount
    }
}
