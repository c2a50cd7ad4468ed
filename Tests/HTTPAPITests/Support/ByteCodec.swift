import HTTPAPI

/// A tokeniser of bytes: token `b` is byte `b`, and a few tokens from 256 on are special or whole words.
struct ByteCodec: TextCodec {
    static let begin: Int32 = 256
    static let end: Int32 = 257
    /// A control token that does not end a generation.
    static let pad: Int32 = 258
    /// Words, one token each.
    static let words: [Int32: String] = [260: "Hello", 261: " world", 262: "!\n", 263: "\n\nUser", 264: "héllo"]
    static let vocabularySize = 300

    private static let specials: [(text: String, token: Int32)] = [
        ("<|begin|>", begin), ("<|end|>", end), ("<|pad|>", pad),
    ]

    func encode(_ text: String, parsesSpecialTokens: Bool, addsBeginningOfSequence: Bool) -> [Int32] {
        var tokens: [Int32] = addsBeginningOfSequence ? [Self.begin] : []
        var rest = text[...]
        while !rest.isEmpty {
            if parsesSpecialTokens, let special = Self.specials.first(where: { rest.hasPrefix($0.text) }) {
                tokens.append(special.token)
                rest = rest.dropFirst(special.text.count)
            } else {
                tokens.append(contentsOf: rest.prefix(1).utf8.map(Int32.init))
                rest = rest.dropFirst()
            }
        }
        return tokens
    }

    func piece(of token: Int32) -> [UInt8] {
        if let byte = UInt8(exactly: token) { return [byte] }
        if let word = Self.words[token] { return Array(word.utf8) }
        return Self.specials.first { $0.token == token }.map { Array($0.text.utf8) } ?? []
    }

    func isSpecial(_ token: Int32) -> Bool { (256..<260).contains(token) }

    var endOfGenerationTokens: [Int32] { [Self.end] }

    /// Shows the template's inputs as they are. A conversation with the word REFUSE is refused.
    func renderChat(
        messages: String, tools: String?, arguments: String?, addsGenerationPrompt: Bool
    ) throws(ChatTemplateFailure) -> String {
        if messages.contains("REFUSE") { throw ChatTemplateFailure("roles must alternate") }
        return "<|begin|>\(messages)\(tools.map { "|tools:\($0)" } ?? "")\(arguments.map { "|with:\($0)" } ?? "")"
            + (addsGenerationPrompt ? "|assistant:" : "")
    }

    func makeDecoder() -> any TextDecoder { Decoder(codec: self) }

    struct Decoder: TextDecoder {
        let codec: ByteCodec
        var held: [UInt8] = []

        mutating func append(_ token: Int32) -> String {
            held.append(contentsOf: codec.piece(of: token))
            // The longest prefix that is text; three bytes may wait for the fourth.
            for missing in 0..<min(4, held.count) {
                if let text = String(validating: held.dropLast(missing), as: UTF8.self) {
                    held.removeFirst(held.count - missing)
                    return text
                }
            }
            return held.count < 4 ? "" : finish()
        }

        mutating func finish() -> String {
            defer { held = [] }
            return String(decoding: held, as: UTF8.self)
        }
    }
}
