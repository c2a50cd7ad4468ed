/// Reads a model's configuration from a GGUF file's metadata, gathering everything that is wrong with it.
struct LlamaMetadata {
    /// The architectures that this engine computes.
    static let supportedArchitectures = ["llama", "bitnet-b1.58", "bitnet"]

    private let gguf: GGUFFile
    private let architecture: String
    private var problems: [CheckpointProblem] = []

    private var path: String { gguf.file.path }

    /// The configuration of the model in `gguf`. Throws `.unsupported` for an architecture, split file, expert model or
    /// RoPE scaling that this engine does not compute, `.inconsistent` with everything else that is wrong.
    static func configuration(of gguf: GGUFFile) throws(CheckpointError) -> ModelConfiguration {
        let architecture = try supportedArchitecture(of: gguf)
        var metadata = LlamaMetadata(gguf: gguf, architecture: architecture)
        return try metadata.configuration()
    }

    private init(gguf: GGUFFile, architecture: String) {
        self.gguf = gguf
        self.architecture = architecture
    }

    private static func supportedArchitecture(of gguf: GGUFFile) throws(CheckpointError) -> String {
        let path = gguf.file.path
        if let count = try gguf.metadata.integer("split.count"), count > 1 {
            throw .unsupported(
                path: path,
                CheckpointProblem(
                    place: "split.count", problem: "this is one of \(count) files of a split model",
                    remedy: "join them with: llama-gguf-split --merge FIRST-FILE WHOLE-FILE"))
        }
        guard let architecture = try gguf.metadata.string("general.architecture") else {
            throw .inconsistent(
                path: path,
                [
                    CheckpointProblem(
                        place: "general.architecture", problem: "the key is missing",
                        remedy: "give a model file, not an adapter or a projector")
                ])
        }
        guard supportedArchitectures.contains(architecture) else {
            throw .unsupported(
                path: path,
                CheckpointProblem(
                    place: "general.architecture",
                    problem: "architecture \(architecture) is not supported; supported: "
                        + supportedArchitectures.joined(separator: ", "),
                    remedy: "choose a model of a supported architecture"))
        }
        return architecture
    }

    private mutating func configuration() throws(CheckpointError) -> ModelConfiguration {
        try refuseExperts()
        let layerCount = size("block_count", in: 1...1024)
        let hiddenSize = size("embedding_length", in: 1...262_144)
        let feedForwardSize = size("feed_forward_length", in: 1...2_097_152)
        let headCount = size("attention.head_count", in: 1...4096)
        let keyValueHeadCount = size("attention.head_count_kv", in: 1...4096, orElse: headCount)
        let contextLength = size("context_length", in: 1...(1 << 30))
        if headCount % keyValueHeadCount != 0 {
            report("attention.head_count_kv", "\(keyValueHeadCount) does not divide the \(headCount) query heads")
        }
        let headDimension = headDimension(hiddenSize: hiddenSize, headCount: headCount)
        let epsilon = float("attention.layer_norm_rms_epsilon", orElse: nil)
        if !(epsilon > 0 && epsilon < 1) {
            report("attention.layer_norm_rms_epsilon", "\(epsilon) is not between 0 and 1")
        }
        let configuration = ModelConfiguration(
            architecture: architecture, name: string("general.name") ?? "", layerCount: layerCount,
            hiddenSize: hiddenSize, feedForwardSize: feedForwardSize, attentionHeadCount: headCount,
            keyValueHeadCount: keyValueHeadCount, headDimension: headDimension, vocabularySize: vocabularySize(),
            contextLength: contextLength, normEpsilon: epsilon, rope: try rope(headDimension: headDimension),
            activation: architecture == "bitnet-b1.58" ? .squaredReLU : .silu, hasSubNorms: isBitNet)
        guard problems.isEmpty else { throw .inconsistent(path: path, problems) }
        return configuration
    }

    /// `bitnet` (llama.cpp) and `bitnet-b1.58` (bitnet.cpp): norms within the layer, and query and key rows in the order
    /// of the original checkpoint.
    private var isBitNet: Bool { architecture.hasPrefix("bitnet") }

    private func refuseExperts() throws(CheckpointError) {
        guard let count = try gguf.metadata.integer("\(architecture).expert_count"), count > 0 else { return }
        throw .unsupported(
            path: path,
            CheckpointProblem(
                place: "\(architecture).expert_count", problem: "a mixture of \(count) experts is not supported",
                remedy: "choose a dense model"))
    }

    private mutating func headDimension(hiddenSize: Int, headCount: Int) -> Int {
        let keyLength = optionalSize("attention.key_length", in: 1...4096)
        if keyLength == nil, hiddenSize % headCount != 0 {
            report("attention.head_count", "\(headCount) heads do not divide the hidden size, \(hiddenSize)")
        }
        let dimension = keyLength ?? max(1, hiddenSize / headCount)
        if let valueLength = optionalSize("attention.value_length", in: 1...4096), valueLength != dimension {
            report("attention.value_length", "\(valueLength) differs from the \(dimension) values of a key")
        }
        if dimension % 2 != 0 { report("attention.key_length", "\(dimension) values per head are not an even number") }
        return dimension
    }

    /// The number of tokens if the file holds a vocabulary, else what `vocab_size` says.
    private mutating func vocabularySize() -> Int {
        let tokensKey = "tokenizer.ggml.tokens"
        guard case .array(let tokens)? = gguf.metadata[tokensKey] else { return size("vocab_size", in: 1...16_777_216) }
        if !(1...16_777_216).contains(tokens.count) {
            report(key: tokensKey, "\(tokens.count) tokens are not from 1 to 16777216")
        }
        return tokens.count
    }

    private mutating func rope(headDimension: Int) throws(CheckpointError) -> RotaryEmbedding {
        let base = float("rope.freq_base", orElse: 10_000)
        if !(base > 1 && base.isFinite) { report("rope.freq_base", "\(base) is not a finite number above 1") }
        let rotated = optionalSize("rope.dimension_count", in: 2...4096) ?? headDimension
        if rotated > headDimension || rotated % 2 != 0 {
            report("rope.dimension_count", "\(rotated) is odd or more than the \(headDimension) values of a head")
        }
        let scaling = try ropeScaling(rotatedDimension: rotated)
        return RotaryEmbedding(
            base: base, rotatedDimension: rotated, scaling: scaling,
            pairing: isBitNet ? .halves : .interleaved)
    }

    /// A factor without a type means linear scaling, as in llama.cpp; so does the older key `rope.scale_linear`.
    private mutating func ropeScaling(rotatedDimension: Int) throws(CheckpointError) -> RotaryEmbedding.Scaling {
        let type = string("\(architecture).rope.scaling.type") ?? "linear"
        guard ["none", "linear"].contains(type) else {
            throw .unsupported(
                path: path,
                CheckpointProblem(
                    place: "\(architecture).rope.scaling.type",
                    problem: "RoPE scaling \(type) is not supported; supported: none, linear, "
                        + "frequency factors in the tensor rope_freqs.weight (Llama 3)",
                    remedy: "choose a model with one of these"))
        }
        var factor: Float = 1
        if type == "linear" {
            let key =
                gguf.metadata["\(architecture).rope.scaling.factor"] == nil
                ? "rope.scale_linear" : "rope.scaling.factor"
            factor = float(key, orElse: 1)
            // llama.cpp takes 0 for "not scaled".
            if factor == 0 { factor = 1 }
            if !(factor > 0 && factor.isFinite) { report(key, "\(factor) is not a finite number above 0") }
        }
        guard let tensor = gguf.tensors.first(where: { $0.name == ropeFactorsName }) else {
            return factor == 1 ? .none : .linear(factor: factor)
        }
        if factor != 1 {
            report("rope.scaling.factor", "linear scaling and the tensor \(ropeFactorsName) exclude each other")
        }
        return .frequencyFactors(frequencyFactors(in: tensor, count: rotatedDimension / 2))
    }

    private var ropeFactorsName: String { TensorNaming.ropeFrequencyFactors }

    private mutating func frequencyFactors(in tensor: GGUFTensor, count: Int) -> [Float] {
        guard tensor.type.id == 0, tensor.dimensions == [count] else {
            report(key: tensor.name, "is \(tensor.type) \(tensor.dimensions), not F32 [\(count)]")
            return []
        }
        let factors = (0..<count).compactMap { index in
            gguf.file.integer(at: tensor.byteOffset + 4 * index, as: UInt32.self).map(Float.init(bitPattern:))
        }
        if !factors.allSatisfy({ $0 > 0 && $0.isFinite }) {
            report(key: tensor.name, "a frequency factor is not a finite number above 0")
        }
        return factors
    }
}

extension LlamaMetadata {
    private mutating func report(_ suffix: String, _ problem: String) {
        report(key: "\(architecture).\(suffix)", problem)
    }

    private mutating func report(key: String, _ problem: String) {
        problems.append(
            CheckpointProblem(
                place: key, problem: problem, remedy: "fetch the file again, or convert the model again"))
    }

    /// The size at `architecture.suffix`; 1, having reported it, if it is missing or out of bounds.
    private mutating func size(_ suffix: String, in bounds: ClosedRange<Int>, orElse missing: Int? = nil) -> Int {
        let before = problems.count
        if let size = optionalSize(suffix, in: bounds) ?? missing { return size }
        if problems.count == before { report(suffix, "the key is missing") }
        return 1
    }

    /// The size at `architecture.suffix`, nil if it is missing. Some converters write one number per layer: that will
    /// do if all are the same.
    private mutating func optionalSize(_ suffix: String, in bounds: ClosedRange<Int>) -> Int? {
        let key = "\(architecture).\(suffix)"
        let size: Int
        switch gguf.metadata[key] {
        case nil: return nil
        case .unsigned(let value): size = Int(clamping: value)
        case .signed(let value): size = Int(clamping: value)
        case .array(let array):
            guard array.count <= 1024, let values = array.integers(), let first = values.first,
                values.allSatisfy({ $0 == first })
            else {
                report(suffix, "layers of different sizes are not supported")
                return nil
            }
            size = first
        case let other?:
            report(suffix, "is \(other.typeName), not an integer")
            return nil
        }
        guard bounds.contains(size) else {
            report(suffix, "\(size) is not from \(bounds.lowerBound) to \(bounds.upperBound)")
            return nil
        }
        return size
    }

    private mutating func float(_ suffix: String, orElse missing: Float?) -> Float {
        let key = "\(architecture).\(suffix)"
        switch gguf.metadata[key] {
        case .float(let value): return Float(value)
        case nil:
            if let missing { return missing }
            report(suffix, "the key is missing")
            return 0.5
        case let other?:
            report(suffix, "is \(other.typeName), not a float")
            return missing ?? 0.5
        }
    }

    private mutating func string(_ key: String) -> String? {
        switch gguf.metadata[key] {
        case nil: return nil
        case .string(let text): return text
        case let other?:
            report(key: key, "is \(other.typeName), not a string")
            return nil
        }
    }
}
