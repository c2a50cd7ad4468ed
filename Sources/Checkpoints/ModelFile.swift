import Kernels

/// A model that this engine can run, in a GGUF file, in a folder as Hugging Face publishes it or converted: its form, its
/// configuration and every tensor's type and shape were checked. The weights were not read.
public struct ModelFile: Sendable {
    /// The GGUF file or the folder, for its vocabulary and chat template.
    public let source: ModelSource
    /// The shape of the model.
    public let configuration: ModelConfiguration
    /// The token embeddings: [vocabulary × hidden].
    public let tokenEmbedding: TensorDescription
    /// The RMSNorm weights after the last layer: [1 × hidden].
    public let outputNorm: TensorDescription
    /// What makes logits of hidden states: [vocabulary × hidden]. The token embeddings themselves if the head is tied.
    public let head: TensorDescription
    /// In order, `configuration.layerCount` of them.
    public let layers: [LayerTensors]
    /// Bytes of the GGUF file, or of the folder's SafeTensors files together.
    public let byteCount: Int
    /// Bytes before the tensor data; of all SafeTensors files together.
    public let headerByteCount: Int
    /// SHA-256 of what describes the model: names, shapes, types, configuration, vocabulary and chat template, but not
    /// the weights.
    public let headerDigest: [UInt8]
    /// Whether the token embeddings also serve as the head; a converted model has the head in tiles all the same.
    public let hasTiedHead: Bool
    /// All files that were read, and from which weights are.
    public let parts: [ModelPart]

    private let tensors: [String: TensorDescription]

    /// Maps and checks the GGUF file at `path`; or the folder there, which may also be given by its `config.json` or
    /// weights.
    public init(path: String) throws(CheckpointError) {
        try self.init(ModelSource(path: path))
    }

    /// Checks that a GGUF file holds a model that this engine runs. Throws `.unsupported` or `.inconsistent`.
    public init(gguf: GGUFFile) throws(CheckpointError) {
        try self.init(.gguf(gguf))
    }

    /// Checks that a file or folder holds a model that this engine runs.
    public init(_ source: ModelSource) throws(CheckpointError) {
        self.source = source
        var inventory: TensorInventory
        switch source {
        case .gguf(let gguf):
            configuration = try LlamaMetadata.configuration(of: gguf)
            var problems: [CheckpointProblem] = []
            let entries = try gguf.entries(problems: &problems)
            inventory = TensorInventory(
                entries, path: source.path, naming: .gguf, configuration: configuration, tiesHead: nil,
                problems: problems)
            byteCount = gguf.file.byteCount
            headerByteCount = gguf.headerByteCount
            headerDigest = HeaderDigest.of(gguf)
            parts = [ModelPart(gguf)]
        case .folder(let folder):
            let huggingFace = try HuggingFaceConfiguration(folder)
            let found = try folder.tensors()
            var reader = HuggingFaceTensors(found, quantization: huggingFace.quantization)
            let entries = reader.entries()
            configuration = huggingFace.model
            inventory = TensorInventory(
                entries, path: source.path, naming: .huggingFace, configuration: configuration,
                tiesHead: huggingFace.tiesHead, problems: reader.problems)
            byteCount = found.files.reduce(0) { $0 + $1.file.byteCount }
            headerByteCount = found.files.reduce(0) { $0 + $1.headerByteCount }
            headerDigest = HeaderDigest.of(folder, weights: found.files)
            parts = folder.companionParts + found.files.map { ModelPart($0) }
        case .converted(let converted):
            configuration = try converted.configuration()
            var problems: [CheckpointProblem] = []
            let entries = converted.entries(problems: &problems)
            inventory = TensorInventory(
                entries, path: source.path, naming: converted.naming, configuration: configuration, tiesHead: false,
                problems: problems)
            byteCount = converted.tiles.file.byteCount
            headerByteCount = converted.tiles.headerByteCount
            headerDigest = HeaderDigest.of(converted)
            parts = converted.companionParts + [ModelPart(converted.tiles)]
        }
        let found = try inventory.modelTensors()
        tokenEmbedding = found.tokenEmbedding
        outputNorm = found.outputNorm
        head = found.head
        layers = found.layers
        tensors = inventory.tensors
        hasTiedHead =
            if case .converted(let converted) = source { converted.hasTiedHead } else { head == tokenEmbedding }
    }

    /// The path of the GGUF file or folder.
    public var path: String { source.path }

    /// The tensor called `name`; nil if the file has none.
    public func tensor(named name: String) -> TensorDescription? { tensors[name] }

    /// What a head of its own is called in models like this.
    public var headName: String {
        if case .gguf = source.origin { TensorNaming.gguf.name(.head) } else { TensorNaming.huggingFace.name(.head) }
    }

    /// Bytes of each layer's weights in the file, in order.
    public var layerByteCounts: [Int] { layers.map(\.byteCount) }

    /// Bytes of the token embeddings, which the first stage holds.
    public var embeddingByteCount: Int { tokenEmbedding.byteCount }

    /// Bytes of what the last stage holds beyond its layers: output norm and head, also if the head is tied.
    public var headByteCount: Int { outputNorm.byteCount + head.byteCount }
}
