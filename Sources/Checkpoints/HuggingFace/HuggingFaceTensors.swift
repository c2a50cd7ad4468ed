import Kernels

/// Turns a folder's tensors into what is computed with: types by the configuration, scales joined to their weights.
struct HuggingFaceTensors {
    private let quantization: BitNetQuantization?
    private let scales: [String: (tensor: SafeTensor, file: MappedFile)]
    private let files: [SafeTensorsFile]
    private(set) var problems: [CheckpointProblem]

    private static let scaleSuffix = "_scale"

    init(_ tensors: CheckpointTensors, quantization: BitNetQuantization?) {
        self.quantization = quantization
        files = tensors.files
        problems = tensors.problems
        var scales: [String: (tensor: SafeTensor, file: MappedFile)] = [:]
        for file in tensors.files {
            for tensor in file.tensors where tensor.name.hasSuffix(".weight" + Self.scaleSuffix) {
                scales[tensor.name] = (tensor, file.file)
            }
        }
        self.scales = scales
    }

    mutating func entries() -> [TensorEntry] {
        var entries: [TensorEntry] = []
        var usedScales: Set<String> = []
        for file in files {
            for tensor in file.tensors where scales[tensor.name] == nil {
                if let entry = entry(tensor, in: file, &usedScales) { entries.append(entry) }
            }
        }
        for name in scales.keys.sorted() where !usedScales.contains(name) {
            report(name, "there is no packed tensor that it is the scale of", "fetch the model again")
        }
        return entries
    }

    private mutating func entry(
        _ tensor: SafeTensor, in file: SafeTensorsFile, _ usedScales: inout Set<String>
    ) -> TensorEntry? {
        guard let type = type(of: tensor) else { return nil }
        var scale: Float = 1
        if type == .packedTernary {
            let name = tensor.name + Self.scaleSuffix
            usedScales.insert(name)
            guard let found = packedScale(name) else { return nil }
            scale = found
        }
        guard (1...2).contains(tensor.shape.count), tensor.shape.allSatisfy({ $0 > 0 }) else {
            report(tensor.name, "its shape \(tensor.shape) is not that of a matrix or vector", "fetch the model again")
            return nil
        }
        let rows = tensor.shape.count == 1 ? 1 : tensor.shape[0]
        return TensorEntry(
            tensor: TensorDescription(
                name: tensor.name, type: type, rows: type == .packedTernary ? 4 * rows : rows,
                columns: tensor.shape[tensor.shape.count - 1], file: file.file, byteRange: tensor.byteRange,
                scale: scale),
            dimensions: tensor.shape)
    }

    /// Nil, having reported it, for what is not computed with.
    private mutating func type(of tensor: SafeTensor) -> TensorType? {
        // Vectors are norms, which are never quantised.
        let isQuantized =
            tensor.shape.count == 2 && isProjection(tensor.name)
            && quantization?.covers(tensor.name) == true
        let isOnline = quantization?.isOnline == true
        switch tensor.type {
        case "F32", "F16", "BF16":
            if isQuantized, !isOnline {
                report(
                    tensor.name, "it is \(tensor.type), but quantization_mode offline means packed weights (U8)",
                    "choose a checkpoint with packed weights, or one of quantization_mode online")
                return nil
            }
            switch tensor.type {
            case "F32": return isQuantized ? .ternaryF32 : .f32
            case "F16": return isQuantized ? .ternaryF16 : .f16
            default: return isQuantized ? .ternaryBF16 : .bf16
            }
        case "U8" where isQuantized && !isOnline:
            return .packedTernary
        case "U8" where quantization == nil:
            report(
                tensor.name, "packed weights need a quantization_config in config.json, which is not there",
                "fetch config.json again")
        case "U8":
            report(
                tensor.name, "it is U8, but the configuration does not have it quantised offline",
                "fetch config.json and the weights again")
        default:
            report(
                tensor.name,
                "tensor type \(tensor.type) is not supported; supported: F32, F16, BF16, and U8 for packed "
                    + "ternary weights", "choose a checkpoint in one of these")
        }
        return nil
    }

    /// Whether a weight belongs to a linear module of a layer, as transformers quantises them.
    private func isProjection(_ name: String) -> Bool { name.hasSuffix("_proj.weight") }

    /// What the product with the tensor's digits is multiplied by; nil, having reported it, if that is not to be had.
    private mutating func packedScale(_ name: String) -> Float? {
        guard let (scale, file) = scales[name] else {
            report(name, "the tensor is missing", "fetch the model again")
            return nil
        }
        guard scale.shape.allSatisfy({ $0 == 1 }), let stored = value(of: scale, in: file) else {
            report(name, "it is \(scale.type) \(scale.shape), not one F32, F16 or BF16", "fetch the model again")
            return nil
        }
        let factor = quantization?.dividesByScale == true ? 1 / stored : stored
        guard factor.isFinite else {
            report(name, "\(stored) is no scale", "fetch the model again")
            return nil
        }
        return factor
    }

    private func value(of scalar: SafeTensor, in file: MappedFile) -> Float? {
        let offset = scalar.byteRange.lowerBound
        switch scalar.type {
        case "F32": return file.integer(at: offset, as: UInt32.self).map(Float.init(bitPattern:))
        case "F16": return file.integer(at: offset, as: UInt16.self).map { Float(Float16(bitPattern: $0)) }
        case "BF16": return file.integer(at: offset, as: UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
        default: return nil
        }
    }

    private mutating func report(_ name: String, _ problem: String, _ remedy: String) {
        problems.append(CheckpointProblem(place: name, problem: problem, remedy: remedy))
    }
}
