import Checkpoints
import TestSupport
import Testing

/// A model whose `config.json` has other members than usual.
private func model(architecture: String = "LlamaForCausalLM", _ members: [(String, String)]) throws -> ModelFile {
    var tiny = TinyCheckpoint()
    tiny.architecture = architecture
    tiny.weights = .plain(type: "F32")
    tiny.members = members.map { (key: $0.0, value: $0.1) }
    let folder = try tiny.write()
    return try ModelFile(path: folder.path)
}

private func refusal(_ members: (String, String)...) throws -> CheckpointError {
    try #require(throws: CheckpointError.self) { try model(members) }
}

@Suite struct `A config json` {
    @Test func `may leave out what has a default`() throws {
        let left = ["rms_norm_eps", "rope_theta", "max_position_embeddings", "hidden_act"].map { ($0, "null") }
        let llama = try model(left).configuration
        #expect(llama.normEpsilon == 1e-6)
        #expect(llama.rope.base == 10_000)
        #expect(llama.contextLength == 2048)
        #expect(llama.activation == .silu)
        let bitnet = try model(architecture: "BitNetForCausalLM", left).configuration
        #expect(bitnet.normEpsilon == 1e-5)
        #expect(bitnet.rope.base == 500_000)
        #expect(bitnet.activation == .squaredReLU)
        #expect(bitnet.hasSubNorms)
    }

    @Test func `may give the base of positions in either place`() throws {
        #expect(try model([("rope_theta", "5e5")]).configuration.rope.base == 500_000)
        let parameters = #"{"rope_type": "default", "rope_theta": 250000.0}"#
        let rope = try model([("rope_theta", "null"), ("rope_parameters", parameters)]).configuration.rope
        #expect(rope == RotaryEmbedding(base: 250_000, rotatedDimension: 16, scaling: .none, pairing: .halves))
    }

    @Test func `may scale positions linearly, in words of old and new`() throws {
        for (key, value) in [
            ("rope_scaling", #"{"type": "linear", "factor": 4.0}"#),
            ("rope_scaling", #"{"rope_type": "linear", "factor": 4}"#),
            ("rope_parameters", #"{"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}"#),
        ] {
            #expect(try model([(key, value)]).configuration.rope.scaling == .linear(factor: 4))
        }
        #expect(try model([("rope_scaling", "null")]).configuration.rope.scaling == .none)
    }

    /// The factors of Llama 3.1, whose heads have 128 values, as llama.cpp's converter writes them.
    @Test func `may scale positions as Llama 3 does`() throws {
        let scaling =
            #"{"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "#
            + #""original_max_position_embeddings": 8192, "rope_type": "llama3"}"#
        var tiny = TinyCheckpoint()
        tiny.architecture = "LlamaForCausalLM"
        tiny.weights = .plain(type: "F32")
        tiny.hiddenSize = 256
        tiny.attentionHeadCount = 2
        tiny.keyValueHeadCount = 1
        tiny.members = [("rope_theta", "500000.0"), ("rope_scaling", scaling)]
        let folder = try tiny.write()
        guard case .frequencyFactors(let factors) = try ModelFile(path: folder.path).configuration.rope.scaling else {
            Issue.record("no frequency factors")
            return
        }
        #expect(factors.count == 64)
        #expect(factors[...28].allSatisfy { $0 == 1 })
        #expect(factors[35...].allSatisfy { $0 == 8 })
        // Pair 30: λ = 2π · 500000^(30 ⁄ 64) = 2948.3, s = (8192 ⁄ λ − 1) ⁄ 3 = 0.59285, 1 ⁄ ((1 − s) ⁄ 8 + s) = 1.55341.
        #expect(abs(factors[30] - 1.55341) < 0.0001)
        #expect(zip(factors, factors.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test(arguments: [
        (
            "architectures", #"["MistralForCausalLM"]"#,
            "MistralForCausalLM is not supported; supported: BitNetForCausalLM, "
        ),
        ("architectures", #"["BitnetForCausalLM"]"#, "architecture BitnetForCausalLM is not supported"),
        ("attention_bias", "true", "biases are not supported"), ("mlp_bias", "true", "biases are not supported"),
        ("hidden_act", #""gelu""#, "activation gelu is not supported; supported: relu2, silu"),
        ("partial_rotary_factor", "0.5", "part of each head"),
        ("num_local_experts", "8", "a mixture of 8 experts"),
    ])
    func `is refused by the key for what is not computed`(key: String, value: String, saying: String) throws {
        let error = try refusal((key, value))
        guard case .unsupported(let path, let problem) = error else { throw error }
        #expect(path.hasSuffix("/config.json"))
        #expect(problem.place == key)
        #expect(problem.problem.contains(saying))
    }

    @Test(arguments: [
        ("rope_scaling", #"{"type": "yarn", "factor": 4}"#, "rope_scaling.rope_type", "RoPE scaling yarn"),
        ("rope_parameters", #"{"rope_type": "dynamic"}"#, "rope_parameters.rope_type", "RoPE scaling dynamic"),
        (
            "quantization_config", #"{"quant_method": "gptq"}"#, "quantization_config.quant_method",
            "gptq is not supported"
        ),
        ("quantization_config", "{}", "quantization_config.quant_method", "quantisation without a name"),
        (
            "quantization_config", #"{"quant_method": "bitnet", "linear_class": "x"}"#,
            "quantization_config.linear_class", "x is not supported; supported: bitlinear, autobitlinear"
        ),
        (
            "quantization_config", #"{"quant_method": "bitnet", "quantization_mode": "x"}"#,
            "quantization_config.quantization_mode", "x is not supported; supported: offline, online"
        ),
        (
            "quantization_config", #"{"quant_method": "bitnet", "use_rms_norm": true}"#,
            "quantization_config.use_rms_norm", "a norm within each projection"
        ),
    ])
    func `is refused by the part for what is not computed`(
        key: String, value: String, place: String, saying: String
    ) throws {
        let error = try refusal((key, value))
        guard case .unsupported(_, let problem) = error else { throw error }
        #expect(problem.place == place)
        #expect(problem.problem.contains(saying))
    }

    @Test func `is refused with everything that is wrong`() throws {
        let error = try refusal(
            ("hidden_size", "null"), ("num_hidden_layers", "0"), ("num_key_value_heads", "3"), ("vocab_size", "1.5"),
            ("rms_norm_eps", "-1"), ("tie_word_embeddings", "1"), ("rope_theta", #""x""#),
            ("intermediate_size", "1e300"), ("rope_scaling", "[]"), ("quantization_config", "7"))
        guard case .inconsistent(_, let problems) = error else { throw error }
        #expect(
            Set(problems.map(\.place)) == [
                "hidden_size", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "vocab_size",
                "rms_norm_eps", "tie_word_embeddings", "rope_theta", "intermediate_size", "rope_scaling",
                "quantization_config",
            ])
    }

    @Test func `of a vast model is refused for want of its tensors, not of memory`() throws {
        let error = try refusal(
            ("hidden_size", "262144"), ("num_hidden_layers", "1024"), ("intermediate_size", "2097152"),
            ("vocab_size", "16777216"), ("num_attention_heads", "4096"), ("num_key_value_heads", "4096"))
        #expect(error.problems.count > 1000)
    }
}
