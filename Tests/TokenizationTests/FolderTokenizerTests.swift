import Checkpoints
import Foundation
import JSON
import TestSupport
import Testing
import Tokenization

/// What the reference implementation gives for a published model.
private struct Expected: Decodable {
    struct Prompt: Decodable {
        var prompt: String
        var ids: [Int32]
    }
    var prompts: [Prompt]
    var chat: String?
}

private func hasFixture(_ name: String) -> Bool { Fixtures.has(name) }

@Suite(
    .enabled(if: hasFixture("bitnet/bitnet-a") && hasFixture("ryz-tiny"), "the fixtures in bitnet are not there"))
struct `The tokeniser of a published folder` {
    @Test(arguments: [
        ("bitnet/bitnet-a", "bitnet/bitnet-a"), ("bitnet/bitnet-b", "bitnet/bitnet-b"),
        ("bitnet/bitnet-c", "bitnet/bitnet-c"), ("bitnet/bitnet-g", "bitnet/bitnet-g"), ("ryz-tiny", "ryz-tiny"),
        ("bitnet/bitnet-g-I2_S.gguf", "bitnet/bitnet-g"), ("bitnet/bitnet-g-TQ1_0.gguf", "bitnet/bitnet-g"),
        ("bitnet/bitnet-g-TQ2_0.gguf", "bitnet/bitnet-g"),
    ])
    func `gives the ids and the chat text that transformers gives`(path: String, reference: String) throws {
        let data = try Fixtures.data(reference + "/expected.json")
        let expected = try JSONDecoder().decode(Expected.self, from: data)
        let model = try ModelFile(path: Fixtures.path(path))
        let tokenizer = try Tokenizer(model: model)
        #expect(tokenizer.vocabularySize == model.configuration.vocabularySize)
        #expect(expected.prompts.count > 3)
        for prompt in expected.prompts {
            let ids = tokenizer.encode(prompt.prompt, addsBeginningOfSequence: true)
            #expect(ids == prompt.ids, "\(prompt.prompt)")
            #expect(tokenizer.decode(ids) == prompt.prompt)
        }
        #expect(tokenizer.beginningOfSequence == 0)
        #expect(tokenizer.endOfSequence == 1)
        #expect(tokenizer.endOfGenerationTokens == [1, 2])
        guard let chat = expected.chat, !path.hasSuffix(".gguf") else { return }
        let format = try #require(try ConversationFormat(model: model, tokenizer: tokenizer))
        let messages = #"[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who are you?"}]"#
        #expect(try format.render(messages: messages, secondsSince1970: 0) == chat)
    }
}

/// A `tokenizer.json` that says what a GGUF file's vocabulary says.
private func convert(_ gguf: GGUFFile, pattern: String?, ignoresMerges: Bool, mergesArePairs: Bool) throws -> [UInt8] {
    let tokens = try #require(try gguf.metadata.array("tokenizer.ggml.tokens")?.strings?.texts())
    let kinds = try #require(try gguf.metadata.array("tokenizer.ggml.token_type")?.integers())
    let merges = try #require(try gguf.metadata.array("tokenizer.ggml.merges")?.strings?.texts())
    var text = Array(#"{"added_tokens": ["#.utf8)
    var isFirst = true
    func separate() {
        if !isFirst { text.append(UInt8(ascii: ",")) }
        isFirst = false
    }
    for (id, token) in tokens.enumerated() where kinds[id] != 1 {
        separate()
        text += Array(#"{"id": \#(id), "special": \#(kinds[id] == 3), "content": "#.utf8)
        text += JSONText.quoted(token) + Array("}".utf8)
    }
    text += Array(#"], "normalizer": null, "pre_tokenizer": "#.utf8)
    if let pattern {
        text += Array(#"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "#.utf8)
        text += JSONText.quoted(pattern)
        text += Array(#"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "#.utf8)
        text += Array(#""add_prefix_space": false, "use_regex": false}]}"#.utf8)
    } else {
        text += Array(#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}"#.utf8)
    }
    text += Array(#", "model": {"type": "BPE", "ignore_merges": \#(ignoresMerges), "vocab": {"#.utf8)
    isFirst = true
    for (id, token) in tokens.enumerated() where kinds[id] == 1 {
        separate()
        text += JSONText.quoted(token) + Array(":\(id)".utf8)
    }
    text += Array(#"}, "merges": ["#.utf8)
    isFirst = true
    for merge in merges {
        separate()
        let parts = merge.split(separator: " ").map(String.init)
        text +=
            mergesArePairs
            ? Array("[".utf8) + JSONText.quoted(parts[0]) + Array(",".utf8) + JSONText.quoted(parts[1])
                + Array("]".utf8) : JSONText.quoted(merge)
    }
    return text + Array("]}}".utf8)
}

@Suite(.enabled(if: Fixtures.has("tokenizers/gpt-2.gguf"), "the fixtures in tokenizers are not there"))
struct `A real vocabulary as tokenizer json` {
    private static let llama3Pattern =
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    @Test(arguments: [("gpt-2", false), ("llama-bpe", false), ("qwen2", true)])
    func `gives the ids that its reference gives`(name: String, mergesArePairs: Bool) throws {
        let patterns = [
            "llama-bpe": Self.llama3Pattern, "qwen2": Self.llama3Pattern.replacingOccurrences(of: "{1,3}", with: ""),
        ]
        let gguf = try GGUFFile(path: Fixtures.path("tokenizers/\(name).gguf"))
        let folder = try TemporaryFolder()
        try folder.write(
            convert(
                gguf, pattern: patterns[name], ignoresMerges: name == "llama-bpe", mergesArePairs: mergesArePairs),
            "tokenizer.json")
        let tokenizer = try Tokenizer(source: ModelSource(path: folder.path))
        let reference = try SharedTokenizers.named(name)
        #expect(tokenizer.vocabularySize == reference.vocabularySize)
        #expect(tokenizer.preTokenizer == reference.preTokenizer)
        for encoding in try Encoding.fixture(name) {
            #expect(tokenizer.encode(encoding.text) == encoding.ids, "\(name): \(encoding.text.debugDescription)")
        }
    }
}
