public import Checkpoints
import Kernels
public import Transport

/// What one rank of a stage reads of a model's files when it loads its part, and of the embeddings later: no other byte
/// makes a difference to it, but for those with which the model is opened.
extension ModelFile {
    public func byteRanges(layers: Range<Int>, share: RankShare) -> [ModelByteRange] {
        let ranges = RankRanges(share, of: configuration)
        var parts: [MatrixPart] = []
        for layer in layers.clamped(to: 0..<configuration.layerCount).map({ self.layers[$0] }) {
            parts += [
                MatrixPart(layer.query, rows: ranges.query), MatrixPart(layer.key, rows: ranges.keyValue),
                MatrixPart(layer.value, rows: ranges.keyValue), MatrixPart(layer.gate, rows: ranges.feedForward),
                MatrixPart(layer.up, rows: ranges.feedForward),
            ]
            // Norms; and those of which a rank has columns, which lie in all rows.
            parts += [
                layer.attentionNorm, layer.attentionSubNorm, layer.attentionOutput, layer.feedForwardNorm,
                layer.feedForwardSubNorm, layer.down,
            ].compactMap { $0.map { MatrixPart($0) } }
        }
        if layers.lowerBound == 0 { parts.append(MatrixPart(tokenEmbedding)) }
        if layers.upperBound == configuration.layerCount {
            parts += [MatrixPart(outputNorm), MatrixPart(head, rows: ranges.vocabulary)]
        }
        return parts.map { ModelByteRange(file: $0.tensor.file, bytes: $0.tensor.byteRange(of: $0.rows)) }
    }
}

extension TensorDescription {
    /// Where some rows lie, which begin with a whole tile if the tensor is in tiles.
    fileprivate func byteRange(of rows: Range<Int>) -> Range<Int> {
        guard !rows.isEmpty else { return byteRange.lowerBound..<byteRange.lowerBound }
        guard rows != 0..<self.rows else { return byteRange }
        func end(ofRows count: Int) -> Int? {
            if count == 0 { return 0 }
            if let tiles {
                return tiles.layout.byteCount(rows: count, columns: columns, groupColumns: tiles.groupColumns)
            }
            // Some ternary types mix rows, and the scale of others comes of all of them.
            return type.isTernary ? nil : count * rowByteCount
        }
        guard let start = end(ofRows: rows.lowerBound), let end = end(ofRows: rows.upperBound) else { return byteRange }
        return (byteRange.lowerBound + start..<byteRange.lowerBound + end).clamped(to: byteRange)
    }
}
