import Checkpoints
import TestSupport
import Testing

/// What `ModelFile` says of a tiny model after `spoil` has changed it.
func refusal(of model: TinyLlama = TinyLlama(), _ spoil: (inout GGUFBuilder) -> Void) throws -> CheckpointError {
    var builder = model.builder()
    spoil(&builder)
    return try builder.withFile { path in
        try #require(throws: CheckpointError.self) { try ModelFile(path: path) }
    }
}

@Suite struct `A model file` {
    @Test func `gives configuration, tensors and byte counts`() throws {
        let model = try TinyLlama().builder().withFile(ModelFile.init(path:))
        let rope = RotaryEmbedding(base: 10_000, rotatedDimension: 16, scaling: .none, pairing: .interleaved)
        #expect(
            model.configuration
                == ModelConfiguration(
                    architecture: "llama", name: "tiny", layerCount: 2, hiddenSize: 64, feedForwardSize: 96,
                    attentionHeadCount: 4, keyValueHeadCount: 2, headDimension: 16, vocabularySize: 288,
                    contextLength: 256, normEpsilon: 1e-5, rope: rope))
        let key = try #require(model.tensor(named: "blk.1.attn_k.weight"))
        #expect(key == model.layers[1].key)
        #expect(key.type == .q4_1)
        #expect([key.rows, key.columns, key.rowByteCount, key.byteCount] == [32, 64, 40, 1280])
        #expect(model.layers[0].attentionNorm.rows == 1)
        #expect(model.layers[0].attentionNorm.columns == 64)
        #expect(model.layers[0].down.columns == 96)
        #expect(model.hasTiedHead)
        #expect(model.head == model.tokenEmbedding)
        let layer = 2 * 64 * 4 + (64 * 64 * 2 + 32 * 64 * 2 + 96 * 64 * 3) / 32 * 20
        #expect(model.layerByteCounts == [layer, layer])
        #expect(model.embeddingByteCount == 288 * 64 / 32 * 34)
        #expect(model.headByteCount == 288 * 64 / 32 * 34 + 256)
        #expect(model.tensor(named: "blk.2.attn_k.weight") == nil)
    }

    @Test func `tells by its digest whether the header differs, not the weights`() throws {
        var other = TinyLlama()
        other.seed = 2
        var renamed = TinyLlama().builder()
        renamed["general.name"] = .string("tinx")
        let digest = try TinyLlama().builder().withFile(ModelFile.init(path:)).headerDigest
        #expect(digest.count == 32)
        #expect(try other.builder().withFile(ModelFile.init(path:)).headerDigest == digest)
        #expect(try renamed.withFile(ModelFile.init(path:)).headerDigest != digest)
    }

    @Test(arguments: TinyLlama.WeightType.allCases) func `may have weights of any supported type`(
        type: TinyLlama.WeightType
    ) throws {
        var tiny = TinyLlama()
        tiny.weightType = type
        tiny.embeddingType = type
        tiny.hasTiedHead = false
        let model = try tiny.builder().withFile(ModelFile.init(path:))
        #expect(model.layers[1].up.type.ggml?.id == type.rawValue)
        #expect(!model.hasTiedHead)
        #expect(model.head.name == "output.weight")
        #expect(model.head.byteRange != model.tokenEmbedding.byteRange)
    }

    @Test func `with frequency factors has Llama 3 scaling`() throws {
        var tiny = TinyLlama()
        tiny.ropeFrequencyFactors = [1, 1, 1, 2, 4, 8, 8, 8]
        let model = try tiny.builder().withFile(ModelFile.init(path:))
        #expect(model.configuration.rope.scaling == .frequencyFactors([1, 1, 1, 2, 4, 8, 8, 8]))
        let error = try refusal(of: tiny) { $0["llama.rope.scaling.factor"] = .float32(4) }
        #expect(error.problems.map(\.place) == ["llama.rope.scaling.factor"])
        tiny.ropeFrequencyFactors?[3] = 0
        let zero = try refusal(of: tiny) { _ in }
        #expect(zero.problems.map(\.place) == ["rope_freqs.weight"])
    }

    @Test func `knows linear scaling with and without its name, and by the older key`() throws {
        var builder = TinyLlama().builder()
        builder["llama.rope.scale_linear"] = .float32(2)
        #expect(try builder.withFile(ModelFile.init(path:)).configuration.rope.scaling == .linear(factor: 2))
        builder["llama.rope.scaling.factor"] = .float32(4)
        #expect(try builder.withFile(ModelFile.init(path:)).configuration.rope.scaling == .linear(factor: 4))
        builder["llama.rope.scaling.type"] = .string("none")
        #expect(try builder.withFile(ModelFile.init(path:)).configuration.rope.scaling == .none)
    }

    @Test func `fills in what may be left out`() throws {
        var builder = TinyLlama().builder()
        for key in ["attention.key_length", "attention.value_length", "rope.freq_base", "rope.dimension_count"] {
            builder["llama." + key] = nil
        }
        builder["general.name"] = nil
        builder["llama.feed_forward_length"] = .int32s([96, 96])
        let configuration = try builder.withFile(ModelFile.init(path:)).configuration
        #expect(configuration.headDimension == 16)
        #expect(configuration.rope.base == 10_000)
        #expect(configuration.rope.rotatedDimension == 16)
        #expect(configuration.name == "")
        #expect(configuration.feedForwardSize == 96)
    }
}

@Suite struct `What is not supported` {
    @Test func `is refused by the architecture's name`() throws {
        let error = try refusal { $0["general.architecture"] = .string("qwen2") }
        guard case .unsupported(_, let problem) = error else { throw error }
        #expect(problem.place == "general.architecture")
        #expect(problem.problem == "architecture qwen2 is not supported; supported: llama, bitnet-b1.58, bitnet")
    }

    @Test func `is refused by the tensor's and the type's name, with what is supported`() throws {
        let error = try refusal { builder in
            for name in ["blk.0.attn_q.weight", "blk.1.attn_q.weight"] {
                builder[tensor: name]?.typeID = 14
                builder[tensor: name]?.dimensions = [256, 1]
            }
        }
        #expect(
            error.description.contains(
                "blk.0.attn_q.weight: tensor type Q6_K is not supported; "
                    + "supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, TQ1_0, TQ2_0, I2_S "
                    + "(1 other tensors are of unsupported types, too)"))
    }

    @Test(arguments: [(4, "Q4_2"), (31, "Q4_0_4_4"), (99, "number 99")]) func `includes types of unknown layout`(
        id: UInt32, name: String
    ) throws {
        let error = try refusal { $0[tensor: "blk.1.ffn_up.weight"]?.typeID = id }
        #expect(error.description.contains("blk.1.ffn_up.weight: tensor type \(name) is not supported"))
    }

    @Test(arguments: [
        ("split.count", GGUFBuilder.Value.uint16(3), "one of 3 files"),
        ("llama.expert_count", .uint32(8), "a mixture of 8 experts"),
        ("llama.rope.scaling.type", .string("yarn"), "RoPE scaling yarn is not supported"),
        ("llama.rope.scaling.type", .string("longrope"), "RoPE scaling longrope is not supported"),
    ])
    func `is refused by the key`(key: String, value: GGUFBuilder.Value, saying: String) throws {
        let error = try refusal { $0[key] = value }
        guard case .unsupported(_, let problem) = error else { throw error }
        #expect(problem.place == key)
        #expect(problem.problem.contains(saying))
        #expect(!problem.remedy.isEmpty)
    }

    @Test func `includes biases`() throws {
        let error = try refusal { builder in
            builder.tensors.append(
                GGUFBuilder.Tensor(
                    name: "blk.0.attn_q.bias", dimensions: [64], typeID: 0, data: Array(repeating: 0, count: 256)))
        }
        guard case .unsupported(_, let problem) = error else { throw error }
        #expect(problem.place == "blk.0.attn_q.bias")
    }
}

@Suite struct `An inconsistent model` {
    @Test func `is refused with all missing and mis-shaped tensors at once`() throws {
        let error = try refusal { builder in
            builder[tensor: "blk.0.ffn_gate.weight"] = nil
            builder[tensor: "output_norm.weight"] = nil
            builder[tensor: "blk.1.attn_v.weight"]?.dimensions = [32, 64]
            builder.tensors.append(
                GGUFBuilder.Tensor(name: "blk.0.attn_q_norm.weight", dimensions: [1], typeID: 0, data: [0, 0, 0, 0]))
        }
        guard case .inconsistent(_, let problems) = error else { throw error }
        #expect(
            problems.map(\.place) == [
                "output_norm.weight", "blk.0.ffn_gate.weight", "blk.1.attn_v.weight", "blk.0.attn_q_norm.weight",
            ])
        #expect(problems[2].problem.contains("its dimensions are [32, 64], not [64, 32]"))
    }

    @Test func `is refused with every wrong key at once`() throws {
        let error = try refusal { builder in
            builder["llama.block_count"] = .uint32(0)
            builder["llama.embedding_length"] = .uint64(1 << 60)
            builder["llama.attention.head_count"] = .string("four")
            builder["llama.context_length"] = nil
            builder["llama.feed_forward_length"] = .int32(-96)
            builder["llama.attention.layer_norm_rms_epsilon"] = .float32(.nan)
            builder["llama.rope.freq_base"] = .float32(.infinity)
        }
        guard case .inconsistent(_, let problems) = error else { throw error }
        let places = Set(problems.map(\.place))
        for key in [
            "block_count", "embedding_length", "attention.head_count", "context_length", "feed_forward_length",
            "attention.layer_norm_rms_epsilon", "rope.freq_base",
        ] {
            #expect(places.contains("llama." + key))
        }
    }

    @Test(arguments: [
        ("attention.head_count_kv", UInt32(3)), ("attention.value_length", 8), ("rope.dimension_count", 18),
        ("rope.dimension_count", 15),
    ])
    func `is refused by the key that does not fit the others`(key: String, value: UInt32) throws {
        let error = try refusal { $0["llama." + key] = .uint32(value) }
        guard case .inconsistent(_, let problems) = error else { throw error }
        #expect(problems.map(\.place) == ["llama." + key])
    }

    @Test func `is refused when the vocabulary and the embeddings differ in size`() throws {
        let error = try refusal { $0["tokenizer.ggml.tokens"] = .strings(["a", "b"]) }
        #expect(error.problems.map(\.place) == ["token_embd.weight"])
    }

    @Test func `of a thousand layers without tensors gives a short message`() throws {
        let error = try refusal { $0["llama.block_count"] = .uint32(1000) }
        #expect(error.problems.count == 998 * 9)
        #expect(error.description.split(separator: "\n").count == 21)
        #expect(error.description.hasSuffix("and \(998 * 9 - 20) more problems"))
    }
}
