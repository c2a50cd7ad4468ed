/// Names of the tensors that do not belong to a layer, as GGUF files have them.
enum GlobalTensorName {
    static let tokenEmbedding = "token_embd.weight"
    static let outputNorm = "output_norm.weight"
    static let head = "output.weight"
    static let ropeFrequencyFactors = "rope_freqs.weight"
}

/// The tensors of a layer.
enum LayerTensorRole: String, CaseIterable {
    case attentionNorm = "attn_norm"
    case query = "attn_q"
    case key = "attn_k"
    case value = "attn_v"
    case attentionOutput = "attn_output"
    case feedForwardNorm = "ffn_norm"
    case gate = "ffn_gate"
    case up = "ffn_up"
    case down = "ffn_down"

    /// The tensor's name in GGUF files, such as `blk.3.attn_q.weight`.
    func name(layer: Int) -> String { "blk.\(layer).\(rawValue).weight" }

    var isNorm: Bool { self == .attentionNorm || self == .feedForwardNorm }

    /// Rows (outputs) and columns (inputs); a norm's weights are one row.
    func shape(in configuration: ModelConfiguration) -> (rows: Int, columns: Int) {
        let hidden = configuration.hiddenSize
        return switch self {
        case .attentionNorm, .feedForwardNorm: (1, hidden)
        case .query: (configuration.querySize, hidden)
        case .key, .value: (configuration.keyValueSize, hidden)
        case .attentionOutput: (hidden, configuration.querySize)
        case .gate, .up: (configuration.feedForwardSize, hidden)
        case .down: (hidden, configuration.feedForwardSize)
        }
    }
}
