public import Checkpoints
public import Kernels
public import Transport

/// Every tensor that stages use, with how it is laid out for them: what a converted model holds.
///
/// The tiles are those that a stage packs when it loads the original, so that both give the same bits; unless they are
/// to be quantised to bit planes, which no stage does.
public struct TilePlan: Sendable {
    /// One tensor of the converted model.
    public struct Entry: Sendable {
        /// What the converted model calls it.
        public var name: String
        public var tensor: TensorDescription
        public var record: TensorRecord
        /// Which of its layer's matrices it is; nil for norms, embeddings and head.
        public var matrix: LayerMatrix?
    }

    /// Embeddings, layers in order, norm and head: what a worker holds lies together.
    public let entries: [Entry]
    private let weights: WeightPreparation

    /// - Parameter planes: what the layers' matrices are quantised to; nil leaves them as they are.
    /// - Throws: `.modelLoad` if the model is converted already, is ternary but to be quantised, or has a matrix of a shape
    ///   that no kernel has.
    public init(
        model: ModelFile, ternaryLayout: TernaryLayout, headPrecision: HeadPrecision,
        quantising planes: BitPlanes? = nil
    ) throws(InferenceError) {
        if case .converted = model.source {
            throw .modelLoad("\(model.path): it is converted already; convert the original again instead")
        }
        if let planes, model.isTernary {
            throw .modelLoad(
                "\(model.path): its layers are ternary, in less than two bits a weight as they are; convert it without "
                    + "--bits \(planes.bits)")
        }
        let weights = WeightPreparation(
            model: model, choice: KernelChoice(ternaryLayout: ternaryLayout), headPrecision: headPrecision,
            planes: planes)
        let segments = Segments(model.configuration)
        entries = try lifting { () throws(KernelError) in
            var entries = [Entry(model.tokenEmbedding, tiles: nil)]
            for layer in model.layers {
                for tensor in layer.all {
                    let matrix = LayerMatrix.allCases.first { $0.tensor(of: layer) == tensor }
                    let segmentColumns: Int? =
                        switch matrix {
                        case .attentionOutput: segments.attentionColumns
                        case .down: Segments.feedForwardColumns
                        default: nil
                        }
                    var entry = try weights.entry(tensor, segmentColumns: segmentColumns)
                    entry.matrix = matrix
                    entries.append(entry)
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
            let planes = planes?.fitting(segmentColumns: segmentColumns)
            return TilePlan.Entry(
                tensor,
                tiles: TileStorage(
                    layout: planes?.layout ?? TileLayout(type), segmentColumns: segmentColumns,
                    groupColumns: planes?.groupColumns))
        }
        let scale = try model.ternarySource(tensor).scale
        return TilePlan.Entry(
            tensor, tiles: TileStorage(layout: TileLayout(choice.ternaryLayout), segmentColumns: nil), scale: scale)
    }

    fileprivate func headEntry() throws(KernelError) -> TilePlan.Entry {
        let isReduced = headPrecision.reduces(model.head, ofTernaryModel: model.isTernary)
        let layout = isReduced ? .r8 : TileLayout(try model.source(model.head).type)
        return TilePlan.Entry(
            model.head, name: model.headName, tiles: TileStorage(layout: layout, segmentColumns: nil))
    }
}

/// The matrices of a layer.
public enum LayerMatrix: String, CaseIterable, Sendable {
    case query, key, value
    case attentionOutput = "attention output"
    case gate, up, down

    /// The layer's matrix of this kind.
    func tensor(of layer: LayerTensors) -> TensorDescription {
        switch self {
        case .query: layer.query
        case .key: layer.key
        case .value: layer.value
        case .attentionOutput: layer.attentionOutput
        case .gate: layer.gate
        case .up: layer.up
        case .down: layer.down
        }
    }
}
