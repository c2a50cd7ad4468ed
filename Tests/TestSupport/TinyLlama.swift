/// A llama model of random weights, small enough for tests, with a vocabulary of bytes.
public struct TinyLlama: Sendable {
    /// The types that weights can be made in.
    public enum WeightType: UInt32, Sendable, CaseIterable {
        case f32 = 0
        case f16 = 1
        case q4_0 = 2
        case q4_1 = 3
        case q8_0 = 8
        case bf16 = 30
    }

    public var layerCount = 2
    /// A multiple of 32, as are `feedForwardSize` and `attentionHeadCount * headDimension`, unless weights are floats.
    public var hiddenSize = 64
    public var feedForwardSize = 96
    public var attentionHeadCount = 4
    public var keyValueHeadCount = 2
    public var headDimension = 16
    /// At least 264: 256 bytes, merges and special tokens.
    public var vocabularySize = 288
    public var contextLength = 256
    public var ropeBase: Float = 10_000
    /// One for each pair of a head's values, if the model has them.
    public var ropeFrequencyFactors: [Float]?
    public var hasTiedHead = true
    /// The type of all matrices, but for the embeddings and the head.
    public var weightType = WeightType.q4_1
    public var embeddingType = WeightType.q8_0
    public var chatTemplate: String?
    public var seed: UInt64 = 1

    public init() {}

    /// Ids of the special tokens of every tiny vocabulary.
    public static let beginToken: Int32 = 256
    public static let endToken: Int32 = 257

    /// The model as a file to be written, or spoilt first.
    public func builder() -> GGUFBuilder {
        var builder = GGUFBuilder()
        addMetadata(to: &builder)
        addVocabulary(to: &builder)
        addTensors(to: &builder)
        return builder
    }

    private func addMetadata(to builder: inout GGUFBuilder) {
        builder["general.architecture"] = .string("llama")
        builder["general.name"] = .string("tiny")
        builder["llama.block_count"] = .uint32(UInt32(layerCount))
        builder["llama.context_length"] = .uint32(UInt32(contextLength))
        builder["llama.embedding_length"] = .uint32(UInt32(hiddenSize))
        builder["llama.feed_forward_length"] = .uint32(UInt32(feedForwardSize))
        builder["llama.attention.head_count"] = .uint32(UInt32(attentionHeadCount))
        builder["llama.attention.head_count_kv"] = .uint32(UInt32(keyValueHeadCount))
        builder["llama.attention.key_length"] = .uint32(UInt32(headDimension))
        builder["llama.attention.value_length"] = .uint32(UInt32(headDimension))
        builder["llama.attention.layer_norm_rms_epsilon"] = .float32(1e-5)
        builder["llama.rope.freq_base"] = .float32(ropeBase)
        builder["llama.rope.dimension_count"] = .uint32(UInt32(headDimension))
        builder["llama.vocab_size"] = .uint32(UInt32(vocabularySize))
        if let chatTemplate { builder["tokenizer.chat_template"] = .string(chatTemplate) }
    }

    /// The 256 bytes in the byte-level alphabet, two special tokens, a few merges, and unused tokens for the rest.
    private func addVocabulary(to builder: inout GGUFBuilder) {
        let merges = ["t h", "th e", "Ġ the", "i n", "e r", "a n"]
        var tokens = Self.byteTexts + ["<|im_start|>", "<|im_end|>"] + merges.map { $0.replacing(" ", with: "") }
        var kinds = [Int32](repeating: 1, count: tokens.count)
        kinds[Int(Self.beginToken)] = 3
        kinds[Int(Self.endToken)] = 3
        while tokens.count < vocabularySize {
            tokens.append("[PAD\(tokens.count)]")
            kinds.append(5)
        }
        builder["tokenizer.ggml.model"] = .string("gpt2")
        builder["tokenizer.ggml.pre"] = .string("gpt-2")
        builder["tokenizer.ggml.tokens"] = .strings(tokens)
        builder["tokenizer.ggml.token_type"] = .int32s(kinds)
        builder["tokenizer.ggml.merges"] = .strings(merges)
        builder["tokenizer.ggml.bos_token_id"] = .uint32(UInt32(Self.beginToken))
        builder["tokenizer.ggml.eos_token_id"] = .uint32(UInt32(Self.endToken))
    }

    private func addTensors(to builder: inout GGUFBuilder) {
        var random = SeededGenerator(seed: seed)
        func matrix(_ name: String, rows: Int, columns: Int, _ type: WeightType) {
            builder.tensors.append(
                GGUFBuilder.Tensor(
                    name: name, dimensions: [UInt64(columns), UInt64(rows)], typeID: type.rawValue,
                    data: Self.weights(rows: rows, columns: columns, type, &random)))
        }
        func norm(_ name: String) {
            let values = (0..<hiddenSize).map { _ in Float.random(in: 0.8...1.2, using: &random) }
            builder.tensors.append(Self.vector(name, values))
        }
        let querySize = attentionHeadCount * headDimension
        let keyValueSize = keyValueHeadCount * headDimension
        matrix("token_embd.weight", rows: vocabularySize, columns: hiddenSize, embeddingType)
        if let ropeFrequencyFactors { builder.tensors.append(Self.vector("rope_freqs.weight", ropeFrequencyFactors)) }
        for layer in 0..<layerCount {
            let prefix = "blk.\(layer)."
            norm(prefix + "attn_norm.weight")
            matrix(prefix + "attn_q.weight", rows: querySize, columns: hiddenSize, weightType)
            matrix(prefix + "attn_k.weight", rows: keyValueSize, columns: hiddenSize, weightType)
            matrix(prefix + "attn_v.weight", rows: keyValueSize, columns: hiddenSize, weightType)
            matrix(prefix + "attn_output.weight", rows: hiddenSize, columns: querySize, weightType)
            norm(prefix + "ffn_norm.weight")
            matrix(prefix + "ffn_gate.weight", rows: feedForwardSize, columns: hiddenSize, weightType)
            matrix(prefix + "ffn_up.weight", rows: feedForwardSize, columns: hiddenSize, weightType)
            matrix(prefix + "ffn_down.weight", rows: hiddenSize, columns: feedForwardSize, weightType)
        }
        norm("output_norm.weight")
        if !hasTiedHead { matrix("output.weight", rows: vocabularySize, columns: hiddenSize, embeddingType) }
    }

    /// The visible stand-ins of GPT-2's byte-level vocabularies, byte 0 first.
    public static let byteTexts: [String] = {
        var next: UInt32 = 0x100
        return (UInt32(0)...255).map { byte in
            var scalar = byte
            if !((0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte)) {
                scalar = next
                next += 1
            }
            return Unicode.Scalar(scalar).map { String(Character($0)) } ?? ""
        }
    }()
}

extension TinyLlama {
    private static func vector(_ name: String, _ values: [Float]) -> GGUFBuilder.Tensor {
        var writer = ByteWriter()
        for value in values { writer.integer(value.bitPattern) }
        return GGUFBuilder.Tensor(name: name, dimensions: [UInt64(values.count)], typeID: 0, data: writer.bytes)
    }

    /// Values of about −1 ⁄ √columns to 1 ⁄ √columns, evenly spread, row after row. `columns` must be a multiple of 32
    /// for the block types.
    public static func weights(
        rows: Int, columns: Int, _ type: WeightType, _ random: inout SeededGenerator
    ) -> [UInt8] {
        let bound = 1 / Float(columns).squareRoot()
        var writer = ByteWriter()
        switch type {
        case .f32, .f16, .bf16:
            for _ in 0..<rows * columns {
                let value = Float.random(in: -bound...bound, using: &random)
                switch type {
                case .f16: writer.integer(Float16(value).bitPattern)
                case .bf16: writer.integer(UInt16(value.bitPattern >> 16))
                default: writer.integer(value.bitPattern)
                }
            }
        case .q8_0:
            for _ in 0..<rows * columns / 32 {
                writer.integer(Float16(bound / 127).bitPattern)
                for _ in 0..<32 { writer.integer(Int8.random(in: -127...127, using: &random)) }
            }
        case .q4_0, .q4_1:
            for _ in 0..<rows * columns / 32 {
                writer.integer(Float16(bound / 8).bitPattern)
                if type == .q4_1 { writer.integer(Float16(-bound).bitPattern) }
                for _ in 0..<16 { writer.integer(UInt8.random(in: 0...255, using: &random)) }
            }
        }
        return writer.bytes
    }
}
