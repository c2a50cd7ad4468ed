import JSON

/// A tokeniser for a model without training: a token for each byte, three special ones at the end of the vocabulary, and
/// unused ones between.
struct SyntheticTokenizer {
    var vocabularySize: Int

    static let chatTemplate = """
        {{ bos_token }}{% for message in messages %}{{ message['role'] | capitalize }}: \
        {{ message['content'] | trim }}<|eot_id|>
        {% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}
        """

    private static let begin = "<|begin_of_text|>"
    private static let end = "<|end_of_text|>"
    private static let endOfTurn = "<|eot_id|>"

    var beginID: Int { vocabularySize - 3 }
    var endID: Int { vocabularySize - 2 }
    private var endOfTurnID: Int { vocabularySize - 1 }

    /// `tokenizer_config.json`.
    var configuration: [UInt8] {
        Array("{\"bos_token\": \"\(Self.begin)\", \"eos_token\": \"\(Self.end)\"}\n".utf8)
    }

    /// `tokenizer.json`.
    var json: [UInt8] {
        var text = Array("{\"version\": \"1.0\", \"added_tokens\": [".utf8)
        for (index, token) in [(beginID, Self.begin), (endID, Self.end), (endOfTurnID, Self.endOfTurn)].enumerated() {
            let comma = index == 0 ? "" : ", "
            text += "\(comma){\"id\": \(token.0), \"content\": \"\(token.1)\", \"special\": true}".utf8
        }
        let pattern =
            #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
            + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
        text += "], \"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [".utf8
        text += "{\"type\": \"Split\", \"pattern\": {\"Regex\": ".utf8
        text += JSONText.quoted(pattern)
        text += "}, \"behavior\": \"Isolated\", \"invert\": false}, {\"type\": \"ByteLevel\", ".utf8
        text += "\"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}]}, ".utf8
        text += "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [".utf8
        text += "{\"SpecialToken\": {\"id\": \"\(Self.begin)\", \"type_id\": 0}}, ".utf8
        text += "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"special_tokens\": {\"\(Self.begin)\": ".utf8
        text += "{\"id\": \"\(Self.begin)\", \"ids\": [\(beginID)], \"tokens\": [\"\(Self.begin)\"]}}}, ".utf8
        text += "\"decoder\": {\"type\": \"ByteLevel\"}, \"model\": {\"type\": \"BPE\", \"vocab\": {".utf8
        for (id, letter) in Self.byteLetters.enumerated() {
            text += JSONText.quoted(letter)
            text += ": \(id), ".utf8
        }
        for id in Self.byteLetters.count..<beginID {
            let comma = id + 1 == beginID ? "" : ", "
            text += "\"<unused_\(id)>\": \(id)\(comma)".utf8
        }
        text += "}, \"merges\": []}}\n".utf8
        return text
    }

    /// What GPT-2's byte-level alphabet writes for each byte: printable Latin-1 as it is, others from U+0100 on.
    private static let byteLetters: [String] = {
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
