public import Checkpoints
public import Kernels
import Transport

extension TensorType {
    /// The same type as the kernels know it; nil for types that they do not compute with.
    var weightType: WeightType? {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .bf16: .bf16
        case .q8_0: .q8_0
        case .q4_0: .q4_0
        case .q4_1: .q4_1
        case .tq1_0, .tq2_0, .i2_s, .packedTernary, .ternaryF32, .ternaryF16, .ternaryBF16: nil
        }
    }
}

extension TensorType {
    /// The same form of ternary weights as the kernels know it; nil for types that are not stored as ternary.
    var ternaryForm: TernaryForm? {
        switch self {
        case .packedTernary: .quarters
        case .tq1_0: .tq1_0
        case .tq2_0: .tq2_0
        case .i2_s: .i2_s
        case .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1, .ternaryF32, .ternaryF16, .ternaryBF16: nil
        }
    }
}

extension TensorType {
    /// What the file holds of a type that is made ternary when it is loaded.
    var storedWeightType: WeightType? {
        switch self {
        case .ternaryF32: .f32
        case .ternaryF16: .f16
        case .ternaryBF16: .bf16
        default: nil
        }
    }
}

extension HeadPrecision {
    /// Whether this head is to be kept in eight bits.
    func reduces(_ head: TensorDescription, ofTernaryModel isTernary: Bool) -> Bool {
        guard head.type.isFloatingPoint else { return false }
        return switch self {
        case .automatic: isTernary && head.byteCount >= 32 << 20
        case .eightBit: true
        case .stored: false
        }
    }
}

/// Rows and columns of a matrix that a rank holds.
struct MatrixPart {
    let tensor: TensorDescription
    let rows: Range<Int>
    let columns: Range<Int>

    /// Nil stands for all.
    init(_ tensor: TensorDescription, rows: Range<Int>? = nil, columns: Range<Int>? = nil) {
        self.tensor = tensor
        self.rows = rows ?? 0..<tensor.rows
        self.columns = columns ?? 0..<tensor.columns
    }
}

/// How weights are laid out when they are loaded. Nothing here changes a bit of the answers but the head's precision.
/// What a converted model has in tiles stays in them, but for layouts that are one another's recodings.
struct WeightPreparation: Sendable {
    let model: ModelFile
    var choice: KernelChoice
    var headPrecision: HeadPrecision
    /// What matrices are quantised to, which only conversion does.
    var planes: BitPlanes?

    /// Matrices stacked on each other, in kernel layout. Ternary ones need no segments: their sums are exact.
    func packed(_ parts: MatrixPart..., segmentColumns: Int? = nil) throws(KernelError) -> PackedMatrix {
        var matrix = try stacked(parts, segmentColumns: segmentColumns)
        choice.configure(&matrix)
        return matrix
    }

    private func stacked(_ parts: [MatrixPart], segmentColumns: Int?) throws(KernelError) -> PackedMatrix {
        // Activations are quantised in one way for all matrices of a model.
        let isTernary = model.isTernary
        if let other = parts.map(\.tensor).first(where: { $0.type.isTernary != isTernary }) {
            throw .shape(
                "\(other.name): \(other.type) weights in a model of which others are ternary; convert it with all "
                    + "matrices of its layers ternary, or none")
        }
        guard parts.allSatisfy({ $0.tensor.tiles == nil }) else {
            var sources: [TileSource] = []
            let segmentColumns = isTernary ? nil : segmentColumns
            for part in parts {
                let source = try model.tileSource(part.tensor, segmentColumns: segmentColumns)
                sources.append(
                    try source.part(rows: part.rows, columns: part.columns).recoded(choice.layout(of: source.layout)))
            }
            return try PackedMatrix(sources, segmentColumns: segmentColumns)
        }
        guard isTernary else {
            var sources: [WeightSource] = []
            for part in parts {
                let source = try model.source(part.tensor)
                sources.append(try source.part(rows: part.rows, columns: part.columns))
            }
            if let planes = planes?.fitting(segmentColumns: segmentColumns) {
                return try PackedMatrix(quantising: sources, to: planes, segmentColumns: segmentColumns)
            }
            return try PackedMatrix(sources, segmentColumns: segmentColumns)
        }
        var sources: [TernarySource] = []
        for part in parts {
            let source = try model.ternarySource(part.tensor)
            sources.append(try source.part(rows: part.rows, columns: part.columns))
        }
        return try PackedMatrix(sources, layout: choice.ternaryLayout)
    }

    /// Some rows of the language-model head.
    func packedHead(rows: Range<Int>) throws(KernelError) -> PackedMatrix {
        var matrix = try stackedHead(rows: rows)
        choice.configure(&matrix)
        return matrix
    }

    private func stackedHead(rows: Range<Int>) throws(KernelError) -> PackedMatrix {
        if let layout = model.head.tiles?.layout {
            guard headPrecision == .automatic || (headPrecision == .eightBit) == (layout == .r8) else {
                throw .shape(
                    "\(model.head.name): it was converted to \(layout.rawValue), so \(headPrecision.rawValue) is not to be "
                        + "had; convert the model with --head \(headPrecision.rawValue)")
            }
            let source = try model.tileSource(model.head, segmentColumns: nil)
            return try PackedMatrix([source.part(rows: rows, columns: 0..<source.columns)])
        }
        let whole = try model.source(model.head)
        let source = try whole.part(rows: rows, columns: 0..<whole.columns)
        return headPrecision.reduces(model.head, ofTernaryModel: model.isTernary)
            ? try PackedMatrix(eightBit: source) : try PackedMatrix([source])
    }
}

extension ModelFile {
    /// Whether the layers' matrices are ternary.
    var isTernary: Bool { layers.contains { $0.all.contains { $0.type.isTernary } } }

    /// How exactly keys and values of this model are kept.
    public var keyValuePrecision: KeyValueCache.Precision { isTernary ? .float32 : .float16 }

    /// A tensor's bytes, for packing or decoding.
    func source(_ tensor: TensorDescription) throws(KernelError) -> WeightSource {
        guard let type = tensor.type.weightType, tensor.tiles == nil else {
            throw .shape("\(tensor.name): weights of type \(tensor.type) can't be used here")
        }
        return try WeightSource(
            name: tensor.name, file: tensor.file, byteOffset: tensor.byteRange.lowerBound, type: type,
            rows: tensor.rows, columns: tensor.columns)
    }

    /// A tensor's tiles. That they were made for the same segments shows that the converter and this program agree on
    /// what the numbers mean.
    func tileSource(_ tensor: TensorDescription, segmentColumns: Int?) throws(KernelError) -> TileSource {
        guard let tiles = tensor.tiles, tiles.segmentColumns == segmentColumns else {
            throw .shape("\(tensor.name): it is not in tiles as this release reads them; convert the model again")
        }
        return try TileSource(
            name: tensor.name, file: tensor.file, byteOffset: tensor.byteRange.lowerBound, layout: tiles.layout,
            rows: tensor.rows, columns: tensor.columns, scale: tensor.scale, groupColumns: tiles.groupColumns)
    }

    /// A ternary tensor's bytes, for packing.
    func ternarySource(_ tensor: TensorDescription) throws(KernelError) -> TernarySource {
        if let form = tensor.type.ternaryForm {
            return try TernarySource(
                name: tensor.name, file: tensor.file, byteOffset: tensor.byteRange.lowerBound, form: form,
                rows: tensor.rows, columns: tensor.columns, scale: tensor.scale)
        }
        guard tensor.type.isMadeTernary, let type = tensor.type.storedWeightType else {
            throw .shape("\(tensor.name): \(tensor.type) weights beside ternary ones of the same layer")
        }
        return try TernarySource(
            quantising: WeightSource(
                name: tensor.name, file: tensor.file, byteOffset: tensor.byteRange.lowerBound, type: type,
                rows: tensor.rows, columns: tensor.columns))
    }

    /// A vector, such as the weight of a norm: `[1 × columns]`.
    func vector(_ tensor: TensorDescription) throws(KernelError) -> Tensor {
        var values = try Tensor(rows: 1, columns: tensor.columns)
        try source(tensor).decode(row: 0, into: &values, row: 0)
        return values
    }

    /// Some columns of a vector, from a multiple of 16 on.
    func vector(_ tensor: TensorDescription, columns: Range<Int>) throws(KernelError) -> Tensor {
        let whole = try vector(tensor)
        guard columns != 0..<tensor.columns else { return whole }
        guard columns.lowerBound >= 0, columns.upperBound <= tensor.columns else {
            throw .shape("\(tensor.name): there are no columns \(columns) among its \(tensor.columns)")
        }
        var values = try Tensor(rows: 1, columns: columns.count)
        whole.withBytes(row: 0, columns: columns) { values.assign($0) }
        return values
    }
}
