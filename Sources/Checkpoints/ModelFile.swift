import Crypto
import Kernels

/// A model file that this engine can run: its form, its configuration and every tensor's type and shape were checked.
public struct ModelFile: Sendable {
    /// The mapped file, for reading tensors.
    public let file: MappedFile
    /// What the file says of itself.
    public let metadata: Metadata
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
    /// Bytes before the tensor data.
    public let headerByteCount: Int
    /// SHA-256 of those bytes: names, shapes, types, vocabulary and metadata, but not the weights.
    public let headerDigest: [UInt8]

    private let tensors: [String: TensorDescription]

    /// Maps and checks the file at `path`.
    public init(path: String) throws(CheckpointError) {
        try self.init(gguf: GGUFFile(path: path))
    }

    /// Checks that a GGUF file holds a model that this engine runs. Throws `.unsupported` or `.inconsistent`.
    public init(gguf: GGUFFile) throws(CheckpointError) {
        configuration = try LlamaMetadata.configuration(of: gguf)
        var inventory = try TensorInventory(gguf: gguf, configuration: configuration)
        let found = try inventory.modelTensors()
        tokenEmbedding = found.tokenEmbedding
        outputNorm = found.outputNorm
        head = found.head
        layers = found.layers
        tensors = inventory.tensors
        file = gguf.file
        metadata = gguf.metadata
        headerByteCount = gguf.headerByteCount
        headerDigest = Self.digest(of: gguf.file, byteCount: gguf.headerByteCount)
    }

    /// The tensor called `name`; nil if the file has none.
    public func tensor(named name: String) -> TensorDescription? { tensors[name] }

    /// Whether the token embeddings also serve as the head.
    public var hasTiedHead: Bool { head == tokenEmbedding }

    /// Bytes of each layer's weights in the file, in order.
    public var layerByteCounts: [Int] { layers.map(\.byteCount) }

    /// Bytes of the token embeddings, which the first stage holds.
    public var embeddingByteCount: Int { tokenEmbedding.byteCount }

    /// Bytes of what the last stage holds beyond its layers: output norm and head, also if the head is tied.
    public var headByteCount: Int { outputNorm.byteCount + head.byteCount }

    private static func digest(of file: MappedFile, byteCount: Int) -> [UInt8] {
        var hash = SHA256()
        let chunk = 1 << 20
        for start in stride(from: 0, to: byteCount, by: chunk) {
            hash.update(data: file.bytes(in: start..<min(start + chunk, byteCount)) ?? [])
        }
        return Array(hash.finalize())
    }
}
