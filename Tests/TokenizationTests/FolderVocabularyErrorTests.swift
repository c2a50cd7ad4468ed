import Checkpoints
import TestSupport
import Testing
import Tokenization

/// A folder with a small tokeniser: the bytes, two merges, and special tokens.
private func smallFolder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    let texts = TinyLlama.byteTexts + ["th", "the"]
    let vocabulary = texts.enumerated().map { id, text in
        let escaped = text == "\"" || text == "\\" ? "\\" + text : text
        return "\"\(escaped)\": \(id)"
    }
    try folder.write(
        """
        {
          "added_tokens": [
            {"id": 258, "content": "<s>", "special": true, "single_word": false, "lstrip": false, "rstrip": false},
            {"id": 259, "content": "<|im_end|>", "special": true},
            {"id": 260, "content": "<tool>", "special": false}
          ],
          "normalizer": null,
          "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
          "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [258], "tokens": ["<s>"]}}
          },
          "model": {
            "type": "BPE", "dropout": null, "ignore_merges": false, "byte_fallback": false,
            "vocab": {\(vocabulary.joined(separator: ", "))},
            "merges": ["t h", "th e"]
          }
        }
        """, "tokenizer.json")
    try folder.write(
        #"{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "<|im_end|>", "chat_template": "T"}"#,
        "tokenizer_config.json")
    return folder
}

private func tokenizer(_ folder: TemporaryFolder) throws -> Tokenizer {
    try Tokenizer(source: ModelSource(path: folder.path))
}

@Suite struct `A tokeniser in a folder` {
    @Test func `tells added, special and beginning tokens apart`() throws {
        let tokenizer = try tokenizer(smallFolder())
        #expect(tokenizer.vocabularySize == 261)
        #expect(tokenizer.beginningOfSequence == 258)
        #expect(tokenizer.endOfSequence == 259)
        #expect(tokenizer.addsBeginningOfSequence)
        #expect(!tokenizer.addsEndOfSequence)
        #expect(tokenizer.encode("the", addsBeginningOfSequence: true) == [258, 257])
        #expect(tokenizer.encode("<tool>the<|im_end|>", parsesSpecialTokens: true) == [260, 257, 259])
        #expect(tokenizer.encode("<tool><s>").first == 260)
        #expect(!tokenizer.encode("<tool><s>").contains(258))
        #expect(tokenizer.endOfGenerationTokens == [259])
        #expect(tokenizer.isSpecial(259))
        #expect(!tokenizer.isSpecial(260))
        #expect(tokenizer.decode([260, 257]) == "<tool>the")
    }

    @Test func `takes merges as pairs, and words whole if merges are ignored`() throws {
        let folder = try smallFolder()
        try folder.replace(#"["t h", "th e"]"#, with: #"[["t", "h"]]"#, in: "tokenizer.json")
        #expect(try tokenizer(folder).encode("the") == [256, 101])
        try folder.replace(#""ignore_merges": false"#, with: #""ignore_merges": true"#, in: "tokenizer.json")
        #expect(try tokenizer(folder).encode("the") == [257])
    }

    @Test func `ends generation where the configurations say so`() throws {
        let folder = try smallFolder()
        try folder.write(#"{"eos_token_id": 256}"#, "config.json")
        try folder.write(#"{"eos_token_id": [257, 256]}"#, "generation_config.json")
        #expect(try tokenizer(folder).endOfGenerationTokens == [256, 257, 259])
        try folder.write(#"{"eos_token_id": [257, 261]}"#, "generation_config.json")
        let error = try #require(throws: TokenizerError.self) { try tokenizer(folder) }
        #expect(error.description.contains("generation_config.json: eos_token_id: it is not one of the 261 tokens"))
    }

    @Test func `says that sequences end with a token, too`() throws {
        let folder = try smallFolder()
        try folder.replace(
            #"{"Sequence": {"id": "A", "type_id": 0}}]"#,
            with: #"{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<s>", "type_id": 0}}]"#,
            in: "tokenizer.json")
        #expect(try tokenizer(folder).addsEndOfSequence)
    }

    /// `é` written as `e` and a combining accent, once after a special token's name, which the mark must not join.
    @Test func `normalises text where its file says so`() throws {
        let folder = try smallFolder()
        let plain = try tokenizer(folder)
        #expect(plain.decode(plain.encode("e\u{301}")) == "e\u{301}")
        try folder.replace(#""normalizer": null"#, with: #""normalizer": {"type": "NFC"}"#, in: "tokenizer.json")
        let normalizing = try tokenizer(folder)
        #expect(normalizing.encode("e\u{301} the") == plain.encode("\u{E9} the"))
        let joined = normalizing.encode("<tool>\u{338}e\u{301}<|im_end|>", parsesSpecialTokens: true)
        #expect(joined == [260] + plain.encode("\u{338}\u{E9}") + [259])
    }

    @Test func `has its chat template in a file or in its configuration`() throws {
        let folder = try smallFolder()
        func chat() throws -> String? {
            let source = try ModelSource(path: folder.path)
            return try ConversationFormat(source: source, tokenizer: Tokenizer(source: source))?
                .render(messages: "[]", secondsSince1970: 0)
        }
        #expect(try chat() == "T")
        let list = #"[{"name": "tool_use", "template": "no"}, {"name": "default", "template": "D{{ bos_token }}"}]"#
        try folder.replace(#""chat_template": "T""#, with: #""chat_template": \#(list)"#, in: "tokenizer_config.json")
        #expect(try chat() == "D<s>")
        try folder.write("J{{ eos_token }}", "chat_template.jinja")
        #expect(try chat() == "J<|im_end|>")
        try folder.remove("chat_template.jinja")
        try folder.remove("tokenizer_config.json")
        #expect(try chat() == nil)
    }

    @Test(arguments: [
        (#""type": "BPE""#, #""type": "Unigram""#, "model.type", "tokenizer model Unigram is not supported"),
        (#""byte_fallback": false"#, #""byte_fallback": true"#, "model.byte_fallback", "SentencePiece"),
        (#""dropout": null"#, #""dropout": 0.1"#, "model.dropout", "at random"),
        (#""normalizer": null"#, #""normalizer": {"type": "NFKC"}"#, "normalizer", "NFKC is not supported"),
        (#""add_prefix_space": false"#, #""add_prefix_space": true"#, "pre_tokenizer", "add_prefix_space"),
        (#""use_regex": true"#, #""use_regex": false"#, "pre_tokenizer", "without use_regex"),
        (#"{"type": "ByteLevel","#, #"{"type": "Metaspace","#, "pre_tokenizer", "Metaspace is not supported"),
        (
            #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}"#,
            #"{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated"}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}"#,
            "pre_tokenizer", #"Split by \s+ is not supported; supported: "#
        ),
        (#""TemplateProcessing""#, #""RobertaProcessing""#, "post_processor", "RobertaProcessing is not supported"),
        (#""lstrip": false"#, #""lstrip": true"#, "added_tokens[0].lstrip", "depends on what is around it"),
    ])
    func `is refused by name if it is of another kind`(
        old: String, new: String, place: String, saying: String
    ) throws {
        let folder = try smallFolder()
        try folder.replace(old, with: new, in: "tokenizer.json")
        let error = try #require(throws: TokenizerError.self) { try tokenizer(folder) }
        guard case .unsupported(let path, let problem) = error else { throw error }
        #expect(path == folder.path + "/tokenizer.json")
        #expect(problem.place == place)
        #expect(problem.problem.contains(saying))
    }

    @Test(arguments: [
        (#""th": 256"#, #""th": 255"#, "is that of"),
        (#""th": 256"#, #""th": -1"#, "not a whole number below"),
        (#""th": 256"#, #""th": 100000"#, "not a whole number below"),
        (#""th": 256"#, #""th": 1e300"#, "not a whole number below"),
        (#""th": 256"#, #""th": "a""#, "not a whole number below"),
        (#""id": 259"#, #""id": 257"#, "is that of the, too"),
        (#""th e""#, #""the""#, "model.merges[1]: it is not a pair"),
        (#""th e""#, #""t h e""#, "model.merges[1]: it is not a pair"),
        (#""th e""#, #"["th", "e", "e"]"#, "model.merges[1]: it is not a pair"),
        (#""merges": ["#, #""other": ["#, "model.merges: the key is missing"),
        (#""ids": [258]"#, #""ids": [300]"#, "names a special token that has no id"),
        (#""ids": [258]"#, #""ids": []"#, "names a special token that has no id"),
        (#""content": "<s>""#, #""content": """#, "it has no content"),
        (#""vocab": {"#, #""vocab": {]"#, "not valid JSON"),
    ])
    func `must not contradict itself`(old: String, new: String, saying: String) throws {
        let folder = try smallFolder()
        try folder.replace(old, with: new, in: "tokenizer.json")
        let error = try #require(throws: TokenizerError.self) { try tokenizer(folder) }
        #expect(error.description.hasPrefix(folder.path + "/tokenizer.json: "))
        #expect(error.description.contains(saying))
    }

    @Test func `must have the tokens that its configuration names`() throws {
        let folder = try smallFolder()
        try folder.replace(#""eos_token": "<|im_end|>""#, with: #""eos_token": "</s>""#, in: "tokenizer_config.json")
        let error = try #require(throws: TokenizerError.self) { try tokenizer(folder) }
        #expect(error.description.contains("there is no token </s> in tokenizer.json"))
        try folder.remove("tokenizer.json")
        let missing = try #require(throws: TokenizerError.self) { try tokenizer(folder) }
        #expect(missing.description.contains("tokenizer.json: the folder has no such file"))
    }

    @Test func `may be damaged at random without harm`() throws {
        let folder = try smallFolder()
        let whole = try folder.read("tokenizer.json")
        var random = SeededGenerator(seed: 9)
        var refused = 0
        for _ in 0..<500 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes.remove(at: position)
                case 1: bytes[position] = Array(#"{}[]":,0-9e\x"#.utf8).randomElement(using: &random) ?? 0
                default: bytes[position] = UInt8.random(in: 0...255, using: &random)
                }
            }
            try folder.write(bytes, "tokenizer.json")
            do {
                let tokenizer = try tokenizer(folder)
                let ids = tokenizer.encode("in the <s>Ünïcode 12\n", parsesSpecialTokens: true)
                #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
            } catch is TokenizerError {
                refused += 1
            }
        }
        #expect(refused > 100 && refused < 500)
    }
}
