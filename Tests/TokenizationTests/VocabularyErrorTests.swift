import Checkpoints
import TestSupport
import Testing
import Tokenization

/// What the tokeniser says of a tiny model's vocabulary after `key` has been given another value.
private func refusal(_ key: String, _ value: GGUFBuilder.Value?) throws -> TokenizerError {
    var builder = TinyLlama().builder()
    builder[key] = value
    return try builder.withFile { path in
        try #require(throws: TokenizerError.self) { try Tokenizer(gguf: GGUFFile(path: path)) }
    }
}

@Suite struct `A vocabulary in a model file` {
    @Test func `of a tiny model encodes and decodes`() throws {
        let model = try TinyLlama().builder().withFile(ModelFile.init(path:))
        let tokenizer = try Tokenizer(model: model)
        #expect(tokenizer.vocabularySize == model.configuration.vocabularySize)
        #expect(tokenizer.endOfGenerationTokens == [TinyLlama.endToken])
        let ids = tokenizer.encode("<|im_start|>in the<|im_end|>", parsesSpecialTokens: true)
        #expect(ids.map(tokenizer.text(of:)) == ["<|im_start|>", "in", " the", "<|im_end|>"])
    }

    @Test(arguments: [
        ("tokenizer.ggml.model", GGUFBuilder.Value.string("bert"), "tokenizer model bert (WordPiece) is not supported"),
        (
            "tokenizer.ggml.pre", .string("deepseek-llm"),
            "pre-tokeniser deepseek-llm is not supported; "
                + "supported: gpt-2, llama-bpe, llama-v3, llama3, qwen2, smollm"
        ),
    ])
    func `of another kind is refused by name`(key: String, value: GGUFBuilder.Value, saying: String) throws {
        let error = try refusal(key, value)
        guard case .unsupported(_, let problem) = error else { throw error }
        #expect(problem.place == key)
        #expect(problem.problem.hasPrefix(saying))
    }

    @Test(arguments: ["model", "pre", "tokens", "merges"]) func `must be complete`(part: String) throws {
        let error = try refusal("tokenizer.ggml." + part, nil)
        guard case .malformed(_, let problem) = error else { throw error }
        #expect(problem.place == "tokenizer.ggml." + part)
        #expect(problem.problem == "the key is missing")
    }

    @Test(arguments: [
        ("tokens", GGUFBuilder.Value.int32s([1, 2]), "is an array of INT32, not STRING"),
        ("tokens", .strings([]), "0 tokens are not from 1"),
        ("token_type", .int32s([1, 2]), "has 2 entries for 288 tokens"),
        ("merges", .strings(["t h", "the"]), "merge 1 is not a pair"),
        ("eos_token_id", .uint32(288), "token 288 is not one of the 288 tokens"),
        ("eot_token_id", .int32(-1), "token -1 is not one of the 288 tokens"),
    ])
    func `must not contradict itself`(part: String, value: GGUFBuilder.Value, saying: String) throws {
        let error = try refusal("tokenizer.ggml." + part, value)
        guard case .malformed(_, let problem) = error else { throw error }
        #expect(problem.place == "tokenizer.ggml." + part)
        #expect(problem.problem.contains(saying))
    }

    @Test func `must have values of the right types`() throws {
        let error = try refusal("tokenizer.ggml.add_bos_token", .string("yes"))
        guard case .checkpoint(.inconsistent(_, let problems)) = error else { throw error }
        #expect(problems.map(\.place) == ["tokenizer.ggml.add_bos_token"])
    }

    @Test func `may be damaged at random without harm`() throws {
        var tiny = TinyLlama()
        tiny.vocabularySize = 270
        var builder = tiny.builder()
        builder.tensors = []
        let whole = builder.build()
        let temporary = try TemporaryFile(whole)
        var random = SeededGenerator(seed: 8)
        var working = 0
        for _ in 0..<1000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 600..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try temporary.overwrite(bytes)
            guard let gguf = try? GGUFFile(path: temporary.path), let tokenizer = try? Tokenizer(gguf: gguf) else {
                continue
            }
            let ids = tokenizer.encode("in the <|im_start|>Ünïcode 12\n", parsesSpecialTokens: true)
            #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
            _ = tokenizer.decode(ids)
            working += 1
        }
        #expect(working > 20)
    }
}
