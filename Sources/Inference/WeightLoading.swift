import Checkpoints
import Kernels

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

extension ModelFile {
    /// A tensor's bytes, for packing or decoding.
    func source(_ tensor: TensorDescription) throws(KernelError) -> WeightSource {
        guard let type = tensor.type.weightType else {
            throw .shape("\(tensor.name): there are no kernels for weights of type \(tensor.type)")
        }
        return try WeightSource(
            name: tensor.name, file: tensor.file, byteOffset: tensor.byteRange.lowerBound, type: type,
            rows: tensor.rows, columns: tensor.columns)
    }

    /// Matrices stacked on each other, in kernel layout.
    func packed(_ tensors: TensorDescription..., segmentColumns: Int? = nil) throws(KernelError) -> PackedMatrix {
        var sources: [WeightSource] = []
        for tensor in tensors { sources.append(try source(tensor)) }
        return try PackedMatrix(sources, segmentColumns: segmentColumns)
    }

    /// A vector, such as the weight of a norm: `[1 × columns]`.
    func vector(_ tensor: TensorDescription) throws(KernelError) -> Tensor {
        var values = try Tensor(rows: 1, columns: tensor.columns)
        try source(tensor).decode(row: 0, into: &values, row: 0)
        return values
    }
}
