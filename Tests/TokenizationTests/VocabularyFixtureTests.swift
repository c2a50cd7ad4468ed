import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenization

/// Tokenisers that several tests share: preparing one takes a moment in a debug build.
enum SharedTokenizers {
    static let gpt2 = load("tokenizers/gpt-2.gguf")
    static let llama3 = load("tokenizers/llama-bpe.gguf")
    static let qwen2 = load("tokenizers/qwen2.gguf")
    static let smollm2 = Result { try Tokenizer(model: ModelFile(path: Fixtures.smolLM2Path)) }

    static func named(_ name: String) throws -> Tokenizer {
        switch name {
        case "gpt-2": try gpt2.get()
        case "llama-bpe": try llama3.get()
        case "qwen2": try qwen2.get()
        default: try smollm2.get()
        }
    }

    private static func load(_ fixture: String) -> Result<Tokenizer, any Error> {
        Result { try Tokenizer(gguf: GGUFFile(path: Fixtures.path(fixture))) }
    }
}

/// A text and its tokens.
struct Encoding: Decodable {
    var text: String
    var ids: [Int32]

    /// The texts and ids of a `.inp` and `.out` pair.
    static func fixture(_ name: String) throws -> [Encoding] {
        let texts = String(decoding: try Fixtures.data("tokenizers/\(name).inp"), as: UTF8.self)
            .components(separatedBy: "\n__ggml_vocab_test__\n")
        let lines = String(decoding: try Fixtures.data("tokenizers/\(name).out"), as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false)
        return zip(texts, lines).map { text, line in
            Encoding(text: text, ids: line.split(separator: " ").compactMap { Int32($0) })
        }
    }
}

@Suite struct `Encoding with the vocabulary of a real model` {
    @Test(
        .enabled(if: Fixtures.has("tokenizers/gpt-2.gguf"), "the fixtures in tokenizers are not there"),
        arguments: ["gpt-2", "llama-bpe", "qwen2"])
    func `gives the ids that its reference gives`(name: String) throws {
        let tokenizer = try SharedTokenizers.named(name)
        let encodings = try Encoding.fixture(name)
        #expect(encodings.count > 40)
        for encoding in encodings {
            #expect(tokenizer.encode(encoding.text) == encoding.ids, "\(name): \(encoding.text.debugDescription)")
            #expect(tokenizer.decode(encoding.ids) == encoding.text)
        }
    }

    @Test(
        .enabled(
            if: Fixtures.hasSmolLM2 && Fixtures.has("tokenizers/smollm2.json"),
            "SmolLM2 has not been fetched (scripts/fetch-model smollm2), or the fixture smollm2.json is not there"))
    func `gives the ids that transformers gives for SmolLM2`() throws {
        let tokenizer = try SharedTokenizers.smollm2.get()
        let encodings = try JSONDecoder().decode([Encoding].self, from: Fixtures.data("tokenizers/smollm2.json"))
        #expect(encodings.count > 40)
        for encoding in encodings {
            #expect(tokenizer.encode(encoding.text) == encoding.ids, "\(encoding.text.debugDescription)")
        }
    }

    @Test(.enabled(if: Fixtures.hasSmolLM2, "SmolLM2 has not been fetched: scripts/fetch-model smollm2"))
    func `knows where SmolLM2 stops`() throws {
        let tokenizer = try SharedTokenizers.smollm2.get()
        #expect(tokenizer.beginningOfSequence == 1)
        #expect(tokenizer.endOfSequence == 2)
        #expect(tokenizer.endOfGenerationTokens == [0, 2])
        #expect(!tokenizer.addsBeginningOfSequence)
        #expect(tokenizer.vocabularySize == 49_152)
        let prompt = "<|im_start|>user\nHi<|im_end|>\n"
        let ids = tokenizer.encode(prompt, parsesSpecialTokens: true, addsBeginningOfSequence: true)
        #expect(ids == [1, 4093, 198, 26843, 2, 198])
        #expect(tokenizer.decode(ids, includesSpecialTokens: true) == prompt)
        #expect(tokenizer.decode(ids) == "user\nHi\n")
        #expect(!tokenizer.encode(prompt).contains(2))
    }

    @Test(.enabled(if: Fixtures.has("tokenizers/llama-bpe.gguf"), "the fixtures in tokenizers are not there"))
    func `begins a sequence as Llama 3 does`() throws {
        let tokenizer = try SharedTokenizers.llama3.get()
        #expect(tokenizer.addsBeginningOfSequence)
        #expect(tokenizer.encode("Hello", addsBeginningOfSequence: true) == [128_000, 9906])
        #expect(tokenizer.encode("Hello") == [9906])
        let ids = tokenizer.encode("a<|eot_id|><|start_header_id|>", parsesSpecialTokens: true)
        #expect(ids == [64, 128_009, 128_006])
        #expect(tokenizer.endOfGenerationTokens.isSuperset(of: [128_001, 128_009]))
    }

    @Test(.enabled(if: Fixtures.has("tokenizers/llama-spm.gguf"), "the fixtures in tokenizers are not there"))
    func `is refused by name for a vocabulary of SentencePiece`() throws {
        let gguf = try GGUFFile(path: Fixtures.path("tokenizers/llama-spm.gguf"))
        let error = try #require(throws: TokenizerError.self) { try Tokenizer(gguf: gguf) }
        guard case .unsupported(let path, let problem) = error else { throw error }
        #expect(path.hasSuffix("llama-spm.gguf"))
        #expect(problem.place == "tokenizer.ggml.model")
        #expect(
            problem.problem
                == "tokenizer model llama (SentencePiece) is not supported; supported: gpt2 (byte-level BPE)")
    }
}
