/// The shape of a model: what every stage must know to compute its part.
public struct ModelConfiguration: Sendable, Equatable {
    /// Such as `llama` or `BitNetForCausalLM`, as the file has it.
    public var architecture: String
    /// What the file calls the model; empty if it does not say.
    public var name: String
    /// Transformer layers.
    public var layerCount: Int
    /// Width of the residual stream.
    public var hiddenSize: Int
    /// Width between a layer's up and down projections.
    public var feedForwardSize: Int
    /// Query heads.
    public var attentionHeadCount: Int
    /// Key and value heads; divides `attentionHeadCount`.
    public var keyValueHeadCount: Int
    /// Values per head, for queries, keys and values alike.
    public var headDimension: Int
    /// Tokens that embeddings and logits are for.
    public var vocabularySize: Int
    /// The longest sequence the model was made for, in tokens.
    public var contextLength: Int
    /// What is added to the mean square in RMSNorm.
    public var normEpsilon: Float
    /// How positions turn queries and keys.
    public var rope: RotaryEmbedding
    /// What the gate of the feed-forward network passes through.
    public var activation: Activation
    /// Whether each layer norms what goes into its attention output and down projections, too.
    public var hasSubNorms: Bool

    /// A function of one value: the feed-forward network computes down(f(gate) · up).
    public enum Activation: Sendable, Equatable {
        /// f(x) = x ⁄ (1 + e⁻ˣ): Llama.
        case silu
        /// f(x) = max(x, 0)²: BitNet b1.58.
        case squaredReLU
    }

    public init(
        architecture: String, name: String, layerCount: Int, hiddenSize: Int, feedForwardSize: Int,
        attentionHeadCount: Int, keyValueHeadCount: Int, headDimension: Int, vocabularySize: Int, contextLength: Int,
        normEpsilon: Float, rope: RotaryEmbedding, activation: Activation = .silu, hasSubNorms: Bool = false
    ) {
        self.architecture = architecture
        self.name = name
        self.layerCount = layerCount
        self.hiddenSize = hiddenSize
        self.feedForwardSize = feedForwardSize
        self.attentionHeadCount = attentionHeadCount
        self.keyValueHeadCount = keyValueHeadCount
        self.headDimension = headDimension
        self.vocabularySize = vocabularySize
        self.contextLength = contextLength
        self.normEpsilon = normEpsilon
        self.rope = rope
        self.activation = activation
        self.hasSubNorms = hasSubNorms
    }

    /// Width of all queries of a token: heads times values per head.
    public var querySize: Int { attentionHeadCount * headDimension }
    /// Width of all keys, or of all values, of a token.
    public var keyValueSize: Int { keyValueHeadCount * headDimension }
}

/// Rotary position embedding (Su et al., RoFormer, section 3.2): pair i of a head at position p is turned by the angle
/// p · base^(−2i ⁄ rotatedDimension), changed by `scaling`.
public struct RotaryEmbedding: Sendable, Equatable {
    /// How frequencies were changed to reach longer contexts.
    public enum Scaling: Sendable, Equatable {
        case none
        /// Every angle is divided by the factor.
        case linear(factor: Float)
        /// The angle of pair i is divided by factor i; rotatedDimension ⁄ 2 factors. Llama 3 scaling.
        case frequencyFactors([Float])
    }

    /// Which two values of a head are turned together.
    public enum Pairing: Sendable, Equatable {
        /// 2i and 2i + 1: GGUF files of `llama`, whose query and key rows have been permuted for it.
        case interleaved
        /// i and i + rotatedDimension ⁄ 2: checkpoints as Hugging Face publishes them, GGUF files of BitNet.
        case halves
    }

    /// The base of the frequencies, often called theta.
    public var base: Float
    /// How many of a head's values are turned, from the first; even.
    public var rotatedDimension: Int
    public var scaling: Scaling
    public var pairing: Pairing

    public init(base: Float, rotatedDimension: Int, scaling: Scaling, pairing: Pairing) {
        self.base = base
        self.rotatedDimension = rotatedDimension
        self.scaling = scaling
        self.pairing = pairing
    }
}
