import TestSupport
import Testing

@testable import Tokenization

@Suite struct `A streaming decoder` {
    private static func stream(_ tokens: [Int32], _ tokenizer: Tokenizer, special: Bool = false) -> [String] {
        var decoder = StreamingDecoder(tokenizer: tokenizer, includesSpecialTokens: special)
        return tokens.map { decoder.append($0) } + [decoder.finish()]
    }

    @Test func `holds a character back until it is whole`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        let tokens = Array("a🦙é".utf8).map { Int32($0) }
        #expect(Self.stream(tokens, tokenizer) == ["a", "", "", "", "🦙", "", "é", ""])
    }

    @Test func `gives up on a character as soon as it cannot be completed`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        #expect(Self.stream([0xE2, 0x82, 0x61], tokenizer) == ["", "", "\u{FFFD}a", ""])
        #expect(Self.stream([0xE2, 0x82], tokenizer) == ["", "", "\u{FFFD}"])
        #expect(Self.stream([0x80, 0xFF, 0xC0], tokenizer) == ["\u{FFFD}", "\u{FFFD}", "\u{FFFD}", ""])
        // A surrogate, an overlong form and a value above U+10FFFF: the second byte already settles it.
        #expect(Self.stream([0xED, 0xA0], tokenizer) == ["", "\u{FFFD}\u{FFFD}", ""])
        #expect(Self.stream([0xE0, 0x80], tokenizer) == ["", "\u{FFFD}\u{FFFD}", ""])
        #expect(Self.stream([0xF4, 0x90], tokenizer) == ["", "\u{FFFD}\u{FFFD}", ""])
    }

    @Test func `leaves special tokens out unless asked for them`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        let tokens = [0x61, SmallVocabulary.end, 0x62]
        #expect(Self.stream(tokens, tokenizer) == ["a", "", "b", ""])
        #expect(Self.stream(tokens, tokenizer, special: true) == ["a", "<|im_end|>", "b", ""])
    }

    @Test func `says, in pieces, what decoding all tokens at once says`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        let bytes: [Int32] = [0x61, 0x80, 0x9F, 0xA0, 0xBF, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4]
        var random = SeededGenerator(seed: 9)
        for _ in 0..<1500 {
            let tokens = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                Int32.random(in: 0..<10, using: &random) == 0
                    ? Int32.random(in: 0..<Int32(tokenizer.vocabularySize), using: &random)
                    : bytes[Int.random(in: 0..<bytes.count, using: &random)]
            }
            let text = Self.stream(tokens, tokenizer).joined()
            #expect(Array(text.utf8) == Array(tokenizer.decode(tokens).utf8))
        }
    }

    @Test func `never splits a character of a text`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        var random = SeededGenerator(seed: 10)
        for _ in 0..<1500 {
            let text = `Text that was encoded`.randomText(&random)
            let pieces = Self.stream(text.utf8.map { Int32($0) }, tokenizer)
            #expect(pieces.allSatisfy { $0.unicodeScalars.count <= 1 })
            #expect(Array(pieces.joined().utf8) == Array(text.utf8))
        }
    }

    @Test func `holds back three bytes at most`() {
        #expect(StreamingDecoder.incompleteSuffixByteCount([0xF0, 0x9F, 0xA6]) == 3)
        #expect(StreamingDecoder.incompleteSuffixByteCount([0x61, 0xC3]) == 1)
        #expect(StreamingDecoder.incompleteSuffixByteCount([0xF0, 0x9F, 0xA6, 0x99]) == 0)
        #expect(StreamingDecoder.incompleteSuffixByteCount([0xC3, 0xA9]) == 0)
        #expect(StreamingDecoder.incompleteSuffixByteCount([0x80, 0x80]) == 0)
        #expect(StreamingDecoder.incompleteSuffixByteCount([]) == 0)
    }
}
