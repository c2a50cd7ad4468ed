/// A model of random weights as a Hugging Face folder, small enough for tests.
public struct TinyCheckpoint: Sendable {
    /// How projections are stored.
    public enum Weights: Sendable {
        /// Four rows to a byte, with a scale that the product is multiplied by (`autobitlinear`).
        case packed
        /// As `packed`, but the product is divided by the scale (`bitlinear`).
        case packedDividing
        /// Floating-point weights that the configuration wants made ternary.
        case online(type: String)
        /// Floating-point weights as they are.
        case plain(type: String)
    }

    public var architecture = "BitNetForCausalLM"
    public var weights = Weights.packed
    public var layerCount = 2
    public var hiddenSize = 64
    public var feedForwardSize = 96
    public var attentionHeadCount = 4
    public var keyValueHeadCount = 2
    public var vocabularySize = 96
    public var hasTiedHead = true
    public var seed: UInt64 = 1
    /// Further members of `config.json`, or others instead of those there, as JSON text.
    public var members: [(key: String, value: String)] = []

    public init() {}

    private var hasSubNorms: Bool { architecture == "BitNetForCausalLM" }

    /// The text of `config.json`.
    public func configuration() -> String {
        var all: [(key: String, value: String)] = [
            ("architectures", #"["\#(architecture)"]"#), ("hidden_act", hasSubNorms ? #""relu2""# : #""silu""#),
            ("hidden_size", "\(hiddenSize)"), ("intermediate_size", "\(feedForwardSize)"),
            ("num_hidden_layers", "\(layerCount)"), ("num_attention_heads", "\(attentionHeadCount)"),
            ("num_key_value_heads", "\(keyValueHeadCount)"), ("vocab_size", "\(vocabularySize)"),
            ("max_position_embeddings", "256"), ("rms_norm_eps", "1e-05"), ("rope_theta", "10000.0"),
            ("tie_word_embeddings", "\(hasTiedHead)"),
        ]
        let quantization: String? =
            switch weights {
            case .packed: #""linear_class": "autobitlinear", "quantization_mode": "offline""#
            // What the class leaves out means bitlinear and offline.
            case .packedDividing: #""modules_to_not_convert": null"#
            case .online: #""linear_class": "autobitlinear", "quantization_mode": "online""#
            case .plain: nil
            }
        if let quantization {
            all.append(("quantization_config", #"{"quant_method": "bitnet", \#(quantization)}"#))
        }
        for member in members {
            all.removeAll { $0.key == member.key }
            all.append(member)
        }
        return "{" + all.map { #""\#($0.key)": \#($0.value)"# }.joined(separator: ",\n") + "}"
    }

    /// The tensors of `model.safetensors`.
    public func tensors() -> SafeTensorsBuilder {
        var random = SeededGenerator(seed: seed)
        var builder = SafeTensorsBuilder()
        func add(_ name: String, _ type: String, _ shape: [Int], _ data: [UInt8]) {
            builder.tensors.append(SafeTensorsBuilder.Tensor(name: name, type: type, shape: shape, data: data))
        }
        func floats(_ name: String, _ type: String, _ shape: [Int], _ range: ClosedRange<Float>) {
            var writer = ByteWriter()
            for _ in 0..<shape.reduce(1, *) {
                let value = Float.random(in: range, using: &random)
                switch type {
                case "F32": writer.integer(value.bitPattern)
                case "F16": writer.integer(Float16(value).bitPattern)
                default: writer.integer(UInt16(value.bitPattern >> 16))
                }
            }
            add(name, type, shape, writer.bytes)
        }
        func projection(_ name: String, rows: Int, columns: Int) {
            switch weights {
            case .plain(let type), .online(let type): floats(name, type, [rows, columns], -0.2...0.2)
            case .packed, .packedDividing:
                let data = (0..<rows / 4 * columns).map { _ in
                    (0..<4).reduce(UInt8(0)) { byte, _ in byte << 2 | UInt8.random(in: 0...2, using: &random) }
                }
                add(name, "U8", [rows / 4, columns], data)
                let isDividing = if case .packedDividing = weights { true } else { false }
                floats(name + "_scale", "BF16", [1], isDividing ? 8...16 : 0.05...0.1)
            }
        }
        let keyValueSize = hiddenSize / attentionHeadCount * keyValueHeadCount
        floats("model.embed_tokens.weight", "BF16", [vocabularySize, hiddenSize], -1...1)
        for layer in 0..<layerCount {
            let prefix = "model.layers.\(layer)."
            floats(prefix + "input_layernorm.weight", "BF16", [hiddenSize], 0.8...1.2)
            floats(prefix + "post_attention_layernorm.weight", "BF16", [hiddenSize], 0.8...1.2)
            if hasSubNorms {
                floats(prefix + "self_attn.attn_sub_norm.weight", "BF16", [hiddenSize], 0.8...1.2)
                floats(prefix + "mlp.ffn_sub_norm.weight", "BF16", [feedForwardSize], 0.8...1.2)
            }
            projection(prefix + "self_attn.q_proj.weight", rows: hiddenSize, columns: hiddenSize)
            projection(prefix + "self_attn.k_proj.weight", rows: keyValueSize, columns: hiddenSize)
            projection(prefix + "self_attn.v_proj.weight", rows: keyValueSize, columns: hiddenSize)
            projection(prefix + "self_attn.o_proj.weight", rows: hiddenSize, columns: hiddenSize)
            projection(prefix + "mlp.gate_proj.weight", rows: feedForwardSize, columns: hiddenSize)
            projection(prefix + "mlp.up_proj.weight", rows: feedForwardSize, columns: hiddenSize)
            projection(prefix + "mlp.down_proj.weight", rows: hiddenSize, columns: feedForwardSize)
        }
        floats("model.norm.weight", "BF16", [hiddenSize], 0.8...1.2)
        if !hasTiedHead { floats("lm_head.weight", "BF16", [vocabularySize, hiddenSize], -1...1) }
        return builder
    }

    /// The folder.
    public func write() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(configuration(), "config.json")
        try folder.write(tensors().build(), "model.safetensors")
        return folder
    }
}
