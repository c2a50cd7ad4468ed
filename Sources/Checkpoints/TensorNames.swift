/// The tensors that do not belong to a layer.
enum GlobalTensorRole {
    case tokenEmbedding, outputNorm, head
}

/// The tensors of a layer. The raw value is the name in GGUF files.
enum LayerTensorRole: String, CaseIterable {
    case attentionNorm = "attn_norm"
    case query = "attn_q"
    case key = "attn_k"
    case value = "attn_v"
    case attentionSubNorm = "attn_sub_norm"
    case attentionOutput = "attn_output"
    case feedForwardNorm = "ffn_norm"
    case gate = "ffn_gate"
    case up = "ffn_up"
    case feedForwardSubNorm = "ffn_sub_norm"
    case down = "ffn_down"

    var isNorm: Bool {
        switch self {
        case .attentionNorm, .attentionSubNorm, .feedForwardNorm, .feedForwardSubNorm: true
        case .query, .key, .value, .attentionOutput, .gate, .up, .down: false
        }
    }

    /// Whether only models with sub-norms have it.
    var isSubNorm: Bool { self == .attentionSubNorm || self == .feedForwardSubNorm }

    /// Rows (outputs) and columns (inputs); a norm's weights are one row.
    func shape(in configuration: ModelConfiguration) -> (rows: Int, columns: Int) {
        let hidden = configuration.hiddenSize
        return switch self {
        case .attentionNorm, .feedForwardNorm: (1, hidden)
        case .attentionSubNorm: (1, configuration.querySize)
        case .feedForwardSubNorm: (1, configuration.feedForwardSize)
        case .query: (configuration.querySize, hidden)
        case .key, .value: (configuration.keyValueSize, hidden)
        case .attentionOutput: (hidden, configuration.querySize)
        case .gate, .up: (configuration.feedForwardSize, hidden)
        case .down: (hidden, configuration.feedForwardSize)
        }
    }
}

/// What a kind of model file calls tensors, and in which order it gives their dimensions.
enum TensorNaming {
    case gguf
    case huggingFace

    static let ropeFrequencyFactors = "rope_freqs.weight"

    func name(_ role: GlobalTensorRole) -> String {
        switch (self, role) {
        case (.gguf, .tokenEmbedding): "token_embd.weight"
        case (.gguf, .outputNorm): "output_norm.weight"
        case (.gguf, .head): "output.weight"
        case (.huggingFace, .tokenEmbedding): "model.embed_tokens.weight"
        case (.huggingFace, .outputNorm): "model.norm.weight"
        case (.huggingFace, .head): "lm_head.weight"
        }
    }

    /// Such as `blk.3.attn_q.weight` or `model.layers.3.self_attn.q_proj.weight`.
    func name(_ role: LayerTensorRole, layer: Int) -> String {
        guard self == .huggingFace else { return "blk.\(layer).\(role.rawValue).weight" }
        let module =
            switch role {
            case .attentionNorm: "input_layernorm"
            case .query: "self_attn.q_proj"
            case .key: "self_attn.k_proj"
            case .value: "self_attn.v_proj"
            case .attentionSubNorm: "self_attn.attn_sub_norm"
            case .attentionOutput: "self_attn.o_proj"
            case .feedForwardNorm: "post_attention_layernorm"
            case .gate: "mlp.gate_proj"
            case .up: "mlp.up_proj"
            case .feedForwardSubNorm: "mlp.ffn_sub_norm"
            case .down: "mlp.down_proj"
            }
        return "model.layers.\(layer).\(module).weight"
    }

    /// The dimensions as the file has them.
    func dimensions(rows: Int, columns: Int, isNorm: Bool, type: TensorType) -> [Int] {
        if isNorm { return [columns] }
        switch self {
        case .gguf: return [columns, rows]
        // Rows that are no multiple of four have no packed form; rounding up makes the comparison fail.
        case .huggingFace: return [type == .packedTernary ? (rows + 3) / 4 : rows, columns]
        }
    }

    /// Whether a tensor may be there although nothing is computed with it: what can be derived from the configuration.
    func isRedundant(_ name: String) -> Bool {
        switch self {
        case .gguf: name == Self.ropeFrequencyFactors || name.hasSuffix(".attn_rot_embd")
        case .huggingFace: name.hasSuffix(".rotary_emb.inv_freq")
        }
    }
}
