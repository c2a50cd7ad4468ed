import Checkpoints

/// A small GGUF file with all that another says of itself: its keys and values as they are, and of its tensors only the
/// frequency factors, which are part of the configuration.
enum GGUFHeaderCopy {
    private static let factorsName = "rope_freqs.weight"

    static func bytes(_ gguf: GGUFFile) -> [UInt8] {
        let factors = gguf.tensors.filter { $0.name == factorsName }
        // Magic number and version, the number of tensors, the number of keys.
        var bytes = gguf.file.bytes(in: 0..<8) ?? []
        append(UInt64(factors.count), to: &bytes)
        bytes += gguf.file.bytes(in: 16..<24) ?? []
        bytes += gguf.file.bytes(in: gguf.metadataByteRange) ?? []
        for tensor in factors {
            append(UInt64(tensor.name.utf8.count), to: &bytes)
            bytes += tensor.name.utf8
            append(UInt32(tensor.dimensions.count), to: &bytes)
            for size in tensor.dimensions { append(UInt64(size), to: &bytes) }
            append(tensor.type.id, to: &bytes)
            append(UInt64(0), to: &bytes)
        }
        bytes += [UInt8](
            repeating: 0, count: (gguf.alignment - bytes.count % gguf.alignment) % gguf.alignment)
        for tensor in factors {
            // Names are unique: there is one at most.
            bytes += gguf.file.bytes(in: tensor.byteOffset..<tensor.byteOffset + (tensor.byteCount ?? 0)) ?? []
        }
        return bytes
    }

    private static func append(_ value: some FixedWidthInteger & UnsignedInteger, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
}
