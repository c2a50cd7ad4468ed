import Kernels

extension GGUFFile {
    /// All tensors with what is needed to compute with them. Throws `.unsupported` if a tensor's type is not one that
    /// this engine computes with. What else is wrong is appended to `problems`.
    func entries(problems: inout [CheckpointProblem]) throws(CheckpointError) -> [TensorEntry] {
        let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        var entries: [TensorEntry] = []
        for tensor in tensors {
            guard let type = TensorType(ggml: tensor.type), let byteCount = tensor.byteCount else {
                throw refusal(of: tensor)
            }
            var scale: Float = 1
            if type.isTernary {
                scale = ternaryScale(of: tensor, type, byteCount: byteCount)
                // llama.cpp's older BitNet files keep unscaled digits, and their scale in a tensor beside them.
                if let beside = byName[Self.scaleName(of: tensor.name)] {
                    scale *= scalar(beside) ?? .nan
                }
                if !scale.isFinite {
                    problems.append(
                        CheckpointProblem(
                            place: tensor.name, byteOffset: tensor.byteOffset, problem: "its scale is not finite",
                            remedy: "fetch the file again, or convert the model again"))
                }
            } else if tensor.name.hasSuffix(".scale"), let weight = byName[Self.weightName(of: tensor.name)],
                TensorType(ggml: weight.type)?.isTernary == true
            {
                continue
            }
            entries.append(
                TensorEntry(
                    tensor: TensorDescription(
                        name: tensor.name, type: type, rows: tensor.dimensions.dropFirst().reduce(1, *),
                        columns: tensor.dimensions[0], file: file,
                        byteRange: tensor.byteOffset..<tensor.byteOffset + byteCount, scale: scale),
                    dimensions: tensor.dimensions))
        }
        return entries
    }

    private func refusal(of tensor: GGUFTensor) -> CheckpointError {
        let others = tensors.count { TensorType(ggml: $0.type) == nil } - 1
        let more = others > 0 ? " (\(others) other tensors are of unsupported types, too)" : ""
        return .unsupported(
            path: file.path,
            CheckpointProblem(
                place: tensor.name, byteOffset: tensor.entryByteOffset,
                problem: "tensor type \(tensor.type) is not supported; supported: \(TensorType.supportedNames)\(more)",
                remedy: "fetch the model in, or quantise it to, one of these"))
    }

    private static func scaleName(of weight: String) -> String {
        weight.hasSuffix(".weight") ? weight.dropLast(".weight".count) + ".scale" : ""
    }

    private static func weightName(of scale: String) -> String { scale.dropLast(".scale".count) + ".weight" }

    /// The scale of the first block that has one, or the one behind the data; 0 if all blocks are zero. That all blocks
    /// agree is checked when they are loaded: here a few pages are read, unless the tensor is full of zeroes.
    private func ternaryScale(of tensor: GGUFTensor, _ type: TensorType, byteCount: Int) -> Float {
        let end = tensor.byteOffset + byteCount
        guard type != .i2_s else {
            let bits = file.integer(at: end - 32, as: UInt32.self)
            return bits.map(Float.init(bitPattern:)) ?? .nan
        }
        for blockEnd in stride(from: tensor.byteOffset + type.bytesPerBlock, through: end, by: type.bytesPerBlock) {
            guard let bits = file.integer(at: blockEnd - 2, as: UInt16.self) else { break }
            if bits & 0x7FFF != 0 { return Float(Float16(bitPattern: bits)) }
        }
        return 0
    }

    private func scalar(_ tensor: GGUFTensor) -> Float? {
        guard tensor.type.id == 0, tensor.dimensions.allSatisfy({ $0 == 1 }) else { return nil }
        return file.integer(at: tensor.byteOffset, as: UInt32.self).map(Float.init(bitPattern:))
    }
}
