import Kernels

/// A tensor of a model file before it is known what it is for.
struct TensorEntry {
    var tensor: TensorDescription
    /// As the file has them.
    var dimensions: [Int]
}

/// Matches a file's tensors against what its configuration calls for, gathering everything that is wrong.
struct TensorInventory {
    /// Tensors of supported types, by name.
    let tensors: [String: TensorDescription]
    private let dimensions: [String: [Int]]
    private let path: String
    private let naming: TensorNaming
    private let configuration: ModelConfiguration
    /// Whether a file without a head uses the embeddings; otherwise what the configuration says of it: nil.
    private let tiesHead: Bool?
    private var expected: Set<String> = []
    private var problems: [CheckpointProblem] = []

    /// The tensors that a model of this configuration has, checked.
    struct ModelTensors {
        var tokenEmbedding: TensorDescription
        var outputNorm: TensorDescription
        var head: TensorDescription
        var layers: [LayerTensors]
    }

    /// - Parameters:
    ///   - tiesHead: whether the embeddings are the head, too; nil if that shows from whether there is a head.
    ///   - problems: what has been found wrong with the entries already.
    init(
        _ entries: [TensorEntry], path: String, naming: TensorNaming, configuration: ModelConfiguration,
        tiesHead: Bool?, problems: [CheckpointProblem] = []
    ) {
        self.path = path
        self.naming = naming
        self.configuration = configuration
        self.tiesHead = tiesHead
        self.problems = problems
        tensors = Dictionary(entries.map { ($0.tensor.name, $0.tensor) }) { first, _ in first }
        dimensions = Dictionary(entries.map { ($0.tensor.name, $0.dimensions) }) { first, _ in first }
    }

    /// Throws `.unsupported` for biases and `.inconsistent` with every missing, mis-shaped or unexpected tensor.
    mutating func modelTensors() throws(CheckpointError) -> ModelTensors {
        try refuseBiases()
        let vocabulary = configuration.vocabularySize
        let hidden = configuration.hiddenSize
        let embedding = take(naming.name(.tokenEmbedding), rows: vocabulary, columns: hidden, .table)
        let outputNorm = take(naming.name(.outputNorm), rows: 1, columns: hidden, .norm)
        let headName = naming.name(.head)
        // Some checkpoints store a tied head all the same.
        if tiesHead == true { expected.insert(headName) }
        let isTied = tiesHead ?? (tensors[headName] == nil)
        let head = isTied ? embedding : take(headName, rows: vocabulary, columns: hidden, .table)
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
        for role in LayerTensorRole.allCases where configuration.hasSubNorms || !role.isSubNorm {
            let shape = role.shape(in: configuration)
            found[role] = take(
                naming.name(role, layer: layer), rows: shape.rows, columns: shape.columns,
                role.isNorm ? .norm : .projection)
        }
        guard let attentionNorm = found[.attentionNorm], let query = found[.query], let key = found[.key],
            let value = found[.value], let attentionOutput = found[.attentionOutput],
            let feedForwardNorm = found[.feedForwardNorm], let gate = found[.gate], let up = found[.up],
            let down = found[.down]
        else { return nil }
        return LayerTensors(
            attentionNorm: attentionNorm, query: query, key: key, value: value,
            attentionSubNorm: found[.attentionSubNorm], attentionOutput: attentionOutput,
            feedForwardNorm: feedForwardNorm, gate: gate, up: up, feedForwardSubNorm: found[.feedForwardSubNorm],
            down: down)
    }

    private enum Use {
        case norm, projection
        /// Embeddings and head.
        case table
    }

    /// The tensor called `name`; nil, having reported it, if it is missing or not as it must be.
    private mutating func take(_ name: String, rows: Int, columns: Int, _ use: Use) -> TensorDescription? {
        expected.insert(name)
        guard let tensor = tensors[name], let actual = dimensions[name] else {
            report(name, "the tensor is missing")
            return nil
        }
        let isNorm = use == .norm
        let wanted = naming.dimensions(rows: rows, columns: columns, isNorm: isNorm, type: tensor.type)
        guard actual == wanted || (isNorm && naming == .gguf && actual == [columns, 1]), tensor.rows == rows else {
            report(name, "its dimensions are \(actual), not \(wanted) as the \(source) implies")
            return nil
        }
        if isNorm, !tensor.type.isFloatingPoint {
            report(name, "the weights of a norm are \(tensor.type), not F32, F16 or BF16")
            return nil
        }
        if use == .table, tensor.type.isTernary {
            report(name, "embeddings and head cannot be ternary, but this is \(tensor.type)")
            return nil
        }
        return tensor
    }

    private var source: String { naming == .gguf ? "metadata" : "configuration" }

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
        for name in tensors.keys.sorted() where !expected.contains(name) && !naming.isRedundant(name) {
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
