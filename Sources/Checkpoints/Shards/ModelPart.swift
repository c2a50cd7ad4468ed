public import Kernels

/// One of the files that make up a model.
public struct ModelPart: Sendable {
    /// Its name in the model's folder, or that of the GGUF file.
    public let name: String
    public let file: MappedFile
    /// The bytes that are read when the model is opened, before any weights are.
    public let openingRanges: [Range<Int>]

    init(_ file: MappedFile, openingRanges: [Range<Int>]? = nil) {
        name = file.path.split(separator: "/").last.map(String.init) ?? file.path
        self.file = file
        self.openingRanges = openingRanges ?? [0..<file.byteCount]
    }

    /// A file of tensors: its header, and the scales that lie in tensors of their own.
    init(_ weights: SafeTensorsFile) {
        let scales = weights.tensors.filter { $0.name.hasSuffix(".weight_scale") }.map(\.byteRange)
        self.init(weights.file, openingRanges: [0..<weights.headerByteCount] + scales)
    }

    init(_ gguf: GGUFFile) {
        let scales = gguf.tensors.filter { $0.name.hasSuffix(".scale") }.map { tensor in
            tensor.byteOffset..<tensor.byteOffset + (tensor.byteCount ?? 0)
        }
        self.init(gguf.file, openingRanges: [0..<gguf.headerByteCount] + scales)
    }
}

extension CheckpointFolder {
    /// What lies beside the weights.
    var companionParts: [ModelPart] { companionNames.compactMap(file).map { ModelPart($0) } }
}
