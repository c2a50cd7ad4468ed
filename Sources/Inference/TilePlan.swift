public import Checkpoints
public import Kernels
public import Transport

/// Every tensor that stages use, with how it is laid out for them: what a converted model holds.
///
/// The tiles are those that a stage packs when it loads the original, so that both give the same bits.
public struct TilePlan: Sendable {
    /// One tensor of the converted model.
    public struct Entry: Sendable {
        /// What the converted model calls it.
        public var name: String
        public var tensor: TensorDescription
        public var record: TensorRecord
    }

    /// Embeddings, layers in order, norm and head: what a worker holds lies together.
    public let entries: [Entry]
    private let weights: WeightPreparation

    /// - Throws: `.modelLoad` if the model is converted already, or a matrix has a shape that no kernel has.
    public init(
        model: ModelFile, ternaryLayout: TernaryLayout, headPrecision: HeadPrecision
    ) throws(InferenceError) {
        if case .converted = model.source {
            throw .modelLoad("\(model.path): it is converted already; convert the original again instead")
        }
        let weights = WeightPreparation(model: model, ternaryLayout: ternaryLayout, headPrecision: headPrecision)
        let segments = Segments(model.configuration)
        entries = try lifting { () throws(KernelError) in
            var entries = [Entry(model.tokenEmbedding, tiles: nil)]
            for layer in model.layers {
                for tensor in layer.all {
                    let isOutput = tensor == layer.attentionOutput
                    let segmentColumns =
                        isOutput ? segments.attentionColumns : tensor == layer.down ? Segments.feedForwardColumns : nil
                    entries.append(try weights.entry(tensor, segmentColumns: segmentColumns))
                }
            }
            entries.append(Entry(model.outputNorm, tiles: nil))
            entries.append(try weights.headEntry())
            return entries
        }
        self.weights = weights
    }

    /// The tiles of an entry that has them.
    public func pack(_ entry: Entry) throws(InferenceError) -> PackedMatrix {
        try lifting { () throws(KernelError) in
            entry.name == weights.model.headName
                ? try weights.packedHead(rows: 0..<entry.tensor.rows)
                : try weights.packed(MatrixPart(entry.tensor), segmentColumns: entry.record.tiles?.segmentColumns)
        }
    }
}

extension TilePlan.Entry {
    fileprivate init(_ tensor: TensorDescription, name: String? = nil, tiles: TileStorage?, scale: Float = 1) {
        self.init(
            name: name ?? tensor.name, tensor: tensor,
            record: TensorRecord(
                type: tensor.type, tiles: tiles, rows: tensor.rows, columns: tensor.columns, scale: scale))
    }
}

extension WeightPreparation {
    /// A tensor of a layer: matrices in tiles, norms as they are.
    fileprivate func entry(_ tensor: TensorDescription, segmentColumns: Int?) throws(KernelError) -> TilePlan.Entry {
        guard tensor.rows > 1 else { return TilePlan.Entry(tensor, tiles: nil) }
        guard tensor.type.isTernary else {
            let type = try model.source(tensor).type
            return TilePlan.Entry(
                tensor, tiles: TileStorage(layout: TileLayout(type), segmentColumns: segmentColumns))
        }
        let scale = try model.ternarySource(tensor).scale
        return TilePlan.Entry(
            tensor, tiles: TileStorage(layout: TileLayout(ternaryLayout), segmentColumns: nil), scale: scale)
    }

    fileprivate func headEntry() throws(KernelError) -> TilePlan.Entry {
        let isReduced = headPrecision.reduces(model.head, ofTernaryModel: model.isTernary)
        let layout = isReduced ? .r8 : TileLayout(try model.source(model.head).type)
        return TilePlan.Entry(
            model.head, name: model.headName, tiles: TileStorage(layout: layout, segmentColumns: nil))
    }
}
