/// Matches a file's tensors against what its configuration calls for, gathering everything that is wrong.
struct TensorInventory {
    /// Tensors of supported types, by name.
    let tensors: [String: TensorDescription]
    private let dimensions: [String: [Int]]
    private let path: String
    private let configuration: ModelConfiguration
    private var expected: Set<String> = [GlobalTensorName.ropeFrequencyFactors]
    private var problems: [CheckpointProblem] = []

    /// The tensors that a model of this configuration has, checked.
    struct ModelTensors {
        var tokenEmbedding: TensorDescription
        var outputNorm: TensorDescription
        var head: TensorDescription
        var layers: [LayerTensors]
    }

    /// Throws `.unsupported` if a tensor's type is not one that this engine computes with.
    init(gguf: GGUFFile, configuration: ModelConfiguration) throws(CheckpointError) {
        path = gguf.file.path
        self.configuration = configuration
        var tensors: [String: TensorDescription] = [:]
        for tensor in gguf.tensors {
            guard let type = TensorType(rawValue: tensor.type.id), let byteCount = tensor.byteCount else {
                throw Self.refusal(of: tensor, in: gguf)
            }
            tensors[tensor.name] = TensorDescription(
                name: tensor.name, type: type, rows: tensor.dimensions.dropFirst().reduce(1, *),
                columns: tensor.dimensions[0], byteRange: tensor.byteOffset..<tensor.byteOffset + byteCount)
        }
        self.tensors = tensors
        dimensions = Dictionary(uniqueKeysWithValues: gguf.tensors.map { ($0.name, $0.dimensions) })
    }

    private static func refusal(of tensor: GGUFTensor, in gguf: GGUFFile) -> CheckpointError {
        let others = gguf.tensors.count { TensorType(rawValue: $0.type.id) == nil } - 1
        let more = others > 0 ? " (\(others) other tensors are of unsupported types, too)" : ""
        return .unsupported(
            path: gguf.file.path,
            CheckpointProblem(
                place: tensor.name, byteOffset: tensor.entryByteOffset,
                problem: "tensor type \(tensor.type) is not supported; supported: \(TensorType.supportedNames)\(more)",
                remedy: "fetch the model in, or quantise it to, one of these"))
    }

    /// Throws `.unsupported` for biases and `.inconsistent` with every missing, mis-shaped or unexpected tensor.
    mutating func modelTensors() throws(CheckpointError) -> ModelTensors {
        try refuseBiases()
        let vocabulary = configuration.vocabularySize
        let hidden = configuration.hiddenSize
        let embedding = take(GlobalTensorName.tokenEmbedding, rows: vocabulary, columns: hidden)
        let outputNorm = take(GlobalTensorName.outputNorm, rows: 1, columns: hidden, isNorm: true)
        let isTied = tensors[GlobalTensorName.head] == nil
        let head = isTied ? embedding : take(GlobalTensorName.head, rows: vocabulary, columns: hidden)
        var layers: [LayerTensors] = []
        for layer in 0..<configuration.layerCount {
            if let tensors = layerTensors(layer) { layers.append(tensors) }
        }
        reportUnexpected()
        guard problems.isEmpty, let embedding, let outputNorm, let head else {
            throw .inconsistent(path: path, problems)
        }
        return ModelTensors(tokenEmbedding: embedding, outputNorm: outputNorm, head: head, layers: layers)
    }

    private mutating func layerTensors(_ layer: Int) -> LayerTensors? {
        var found: [LayerTensorRole: TensorDescription] = [:]
        for role in LayerTensorRole.allCases {
            let shape = role.shape(in: configuration)
            found[role] = take(
                role.name(layer: layer), rows: shape.rows, columns: shape.columns, isNorm: role.isNorm)
        }
        guard let attentionNorm = found[.attentionNorm], let query = found[.query], let key = found[.key],
            let value = found[.value], let attentionOutput = found[.attentionOutput],
            let feedForwardNorm = found[.feedForwardNorm], let gate = found[.gate], let up = found[.up],
            let down = found[.down]
        else { return nil }
        return LayerTensors(
            attentionNorm: attentionNorm, query: query, key: key, value: value, attentionOutput: attentionOutput,
            feedForwardNorm: feedForwardNorm, gate: gate, up: up, down: down)
    }

    /// The tensor called `name`; nil, having reported it, if it is missing or not as it must be.
    private mutating func take(_ name: String, rows: Int, columns: Int, isNorm: Bool = false) -> TensorDescription? {
        expected.insert(name)
        guard let tensor = tensors[name], let actual = dimensions[name] else {
            report(name, "the tensor is missing")
            return nil
        }
        let wanted = isNorm ? [columns] : [columns, rows]
        guard actual == wanted || (isNorm && actual == [columns, 1]) else {
            report(name, "its dimensions are \(actual), not \(wanted) as the metadata implies")
            return nil
        }
        guard !isNorm || tensor.type.isFloatingPoint else {
            report(name, "the weights of a norm are \(tensor.type), not F32, F16 or BF16")
            return nil
        }
        return tensor
    }

    /// Some files of the llama architecture have biases; leaving them out would change the model's answers.
    private func refuseBiases() throws(CheckpointError) {
        guard let bias = tensors.keys.filter({ $0.hasSuffix(".bias") }).min() else { return }
        throw .unsupported(
            path: path,
            CheckpointProblem(
                place: bias, problem: "biases are not supported", remedy: "choose a model without biases"))
    }

    /// A tensor that is not computed with would silently change the answers, too.
    private mutating func reportUnexpected() {
        for name in tensors.keys.sorted() where !expected.contains(name) && !name.hasSuffix(".attn_rot_embd") {
            report(
                name, "a \(configuration.architecture) model of \(configuration.layerCount) layers has no such tensor")
        }
    }

    private mutating func report(_ name: String, _ problem: String) {
        problems.append(
            CheckpointProblem(place: name, problem: problem, remedy: "fetch the file again, or convert the model again")
        )
    }
}
