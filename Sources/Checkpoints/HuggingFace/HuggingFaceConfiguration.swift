import JSON

/// What a Hugging Face `config.json` says: the shape of the model and how its weights are quantised.
///
/// Source: `LlamaConfig`, `BitNetConfig`, `BitNetQuantConfig` and `modeling_rope_utils` of transformers, whose older
/// releases wrote `rope_theta` and `rope_scaling` where newer ones write `rope_parameters`.
struct HuggingFaceConfiguration {
    static let supportedArchitectures = ["BitNetForCausalLM", "LlamaForCausalLM"]

    let model: ModelConfiguration
    let tiesHead: Bool
    /// Nil for a model whose weights are what they are.
    let quantization: BitNetQuantization?

    /// Reads the `config.json` of a folder; throws `.inconsistent` if there is none.
    init(_ folder: CheckpointFolder) throws(CheckpointError) {
        guard let document = try folder.json(CheckpointFolder.configuration) else {
            throw .inconsistent(
                path: folder.path,
                [
                    CheckpointProblem(
                        place: CheckpointFolder.configuration, problem: "the folder has no such file",
                        remedy: "give a GGUF file, or a model's folder as Hugging Face publishes it")
                ])
        }
        try self.init(document, path: folder.path + "/" + CheckpointFolder.configuration)
    }

    /// Throws `.unsupported` by name for what this engine does not compute, `.malformed` if the file is not an object,
    /// `.inconsistent` with everything else that is wrong.
    init(_ document: JSONDocument, path: String) throws(CheckpointError) {
        var fields = try ConfigurationFields(document, path: path)
        let architecture = try Self.architecture(fields)
        try Self.refuseExtras(&fields)
        let isBitNet = architecture == "BitNetForCausalLM"
        let hiddenSize = fields.size("hidden_size", in: 1...262_144)
        let headCount = fields.size("num_attention_heads", in: 1...4096)
        let keyValueHeadCount = fields.size("num_key_value_heads", in: 1...4096, orElse: headCount)
        if headCount % keyValueHeadCount != 0 {
            fields.report("num_key_value_heads", "\(keyValueHeadCount) does not divide the \(headCount) query heads")
        }
        if fields["head_dim"] == nil, hiddenSize % headCount != 0 {
            fields.report("num_attention_heads", "\(headCount) heads do not divide the hidden size, \(hiddenSize)")
        }
        let headDimension = fields.size("head_dim", in: 2...4096, orElse: max(2, hiddenSize / headCount))
        if headDimension % 2 != 0 {
            fields.report("head_dim", "\(headDimension) values per head are not an even number")
        }
        let epsilon = fields.number("rms_norm_eps", above: 0, orElse: isBitNet ? 1e-5 : 1e-6)
        if epsilon >= 1 { fields.report("rms_norm_eps", "\(epsilon) is not between 0 and 1") }
        let activation = try Self.activation(&fields, orElse: isBitNet ? .squaredReLU : .silu)
        let rope = try RotaryFields.embedding(
            &fields, headDimension: headDimension, defaultBase: isBitNet ? 500_000 : 10_000)
        model = ModelConfiguration(
            architecture: architecture, name: "", layerCount: fields.size("num_hidden_layers", in: 1...1024),
            hiddenSize: hiddenSize, feedForwardSize: fields.size("intermediate_size", in: 1...2_097_152),
            attentionHeadCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
            vocabularySize: fields.size("vocab_size", in: 1...16_777_216),
            contextLength: fields.size("max_position_embeddings", in: 1...(1 << 30), orElse: 2048),
            normEpsilon: Float(epsilon), rope: rope, activation: activation, hasSubNorms: isBitNet)
        tiesHead = fields.boolean("tie_word_embeddings", orElse: false)
        quantization = try BitNetQuantization(&fields)
        guard fields.problems.isEmpty else { throw .inconsistent(path: path, fields.problems) }
    }

    private static func architecture(_ fields: ConfigurationFields) throws(CheckpointError) -> String {
        let supported = supportedArchitectures.joined(separator: ", ")
        guard let name = fields["architectures"]?.elements?.first?.value.string else {
            throw .inconsistent(
                path: fields.path,
                [
                    CheckpointProblem(
                        place: "architectures", problem: "names no architecture; supported: \(supported)",
                        remedy: "give a model's folder, not an adapter's or a tokeniser's")
                ])
        }
        // Early BitNet checkpoints wrote the name with a small n; their layers are not the same.
        guard supportedArchitectures.contains(name) else {
            throw fields.unsupported(
                "architectures", "architecture \(name) is not supported; supported: \(supported)",
                "choose a model of a supported architecture")
        }
        return name
    }

    /// Keys that change what is computed, in ways that this engine does not.
    private static func refuseExtras(_ fields: inout ConfigurationFields) throws(CheckpointError) {
        for key in ["attention_bias", "mlp_bias"] where fields.boolean(key, orElse: false) {
            throw fields.unsupported(key, "biases are not supported", "choose a model without biases")
        }
        if fields.number("partial_rotary_factor", above: 0, orElse: 1) != 1 {
            throw fields.unsupported(
                "partial_rotary_factor", "turning part of each head is not supported", "choose another model")
        }
        if let count = fields["num_local_experts"]?.wholeNumber, count > 1 {
            throw fields.unsupported(
                "num_local_experts", "a mixture of \(count) experts is not supported", "choose a dense model")
        }
    }

    private static func activation(
        _ fields: inout ConfigurationFields, orElse missing: ModelConfiguration.Activation
    ) throws(CheckpointError) -> ModelConfiguration.Activation {
        switch fields.string("hidden_act") {
        case nil: return missing
        case "silu": return .silu
        case "relu2": return .squaredReLU
        case let name?:
            throw fields.unsupported(
                "hidden_act", "activation \(name) is not supported; supported: relu2, silu",
                "choose a model with one of these")
        }
    }
}

/// How a checkpoint's projections were, or are to be, made ternary: `quantization_config` with `quant_method` `bitnet`.
struct BitNetQuantization {
    /// Whether the product is divided by the stored scale (`bitlinear`) or multiplied by it (`autobitlinear`).
    let dividesByScale: Bool
    /// Whether weights are stored as they were trained and made ternary when they are loaded (`online`).
    let isOnline: Bool
    /// Parts of names of modules that are left as they are.
    let excludedModules: [String]

    /// Nil if there is no `quantization_config`.
    init?(_ fields: inout ConfigurationFields) throws(CheckpointError) {
        guard var part = fields.fields("quantization_config") else { return nil }
        let method = part.string("quant_method")
        guard method == "bitnet" else {
            throw part.unsupported(
                "quant_method", "quantisation \(method ?? "without a name") is not supported; supported: bitnet",
                "choose a model that is not quantised or quantised for BitNet, or a GGUF file")
        }
        let linearClass = part.string("linear_class") ?? "bitlinear"
        guard ["bitlinear", "autobitlinear"].contains(linearClass) else {
            throw part.unsupported(
                "linear_class", "\(linearClass) is not supported; supported: bitlinear, autobitlinear",
                "choose another model")
        }
        let mode = part.string("quantization_mode") ?? "offline"
        guard ["offline", "online"].contains(mode) else {
            throw part.unsupported(
                "quantization_mode", "\(mode) is not supported; supported: offline, online", "choose another model")
        }
        if part.boolean("use_rms_norm", orElse: false) {
            throw part.unsupported(
                "use_rms_norm", "a norm within each projection is not supported", "choose another model")
        }
        dividesByScale = linearClass == "bitlinear"
        isOnline = mode == "online"
        var excluded = ["lm_head"]
        for element in part["modules_to_not_convert"]?.elements ?? [] {
            guard let name = element.value.string, !name.isEmpty else {
                part.report("modules_to_not_convert", "holds something that is no name")
                continue
            }
            excluded.append(name)
        }
        excludedModules = excluded
        fields.adopt(part)
    }

    /// Whether the weight called `name` is to be ternary.
    func covers(_ name: String) -> Bool { !excludedModules.contains { name.contains($0) } }
}
