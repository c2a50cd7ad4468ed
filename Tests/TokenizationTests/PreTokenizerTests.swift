import TestSupport
import Testing

@testable import Tokenization

@Suite struct `A pre-tokeniser` {
    static func words(_ text: String, _ preTokenizer: PreTokenizer) -> [String] {
        let bytes = Array(text.utf8)
        var words: [String] = []
        var start = 0
        while start < bytes.count {
            let end = preTokenizer.wordEnd(in: bytes.span, from: start, to: bytes.count)
            words.append(String(decoding: bytes[start..<end], as: UTF8.self))
            start = end
        }
        return words
    }

    @Test(arguments: [
        ("I'll say: it's 1234!", ["I", "'ll", " say", ":", " it", "'s", " 1234", "!"]),
        ("I'LL", ["I", "'", "LL"]),
        ("a  b \n\n c", ["a", " ", " b", " \n\n", " c"]),
        ("end  ", ["end", "  "]),
        ("\tx", ["\t", "x"]),
        ("x½٣", ["x", "½٣"]),
        (" ...!?x", [" ...!?", "x"]),
        ("a\u{A0}\u{3000}b", ["a", "\u{A0}", "\u{3000}", "b"]),
    ])
    func `cuts as GPT-2 does`(text: String, expected: [String]) {
        #expect(Self.words(text, .gpt2) == expected)
    }

    @Test(arguments: [
        ("it's 1234!", ["it", "'s", " ", "1", "2", "3", "4", "!"]),
        ("a  1", ["a", "  ", "1"]),
        ("a  b", ["a", " ", " b"]),
        ("v2.0", ["v", "2", ".", "0"]),
        ("½ ½", ["½", " ", "½"]),
    ])
    func `cuts as SmolLM does`(text: String, expected: [String]) {
        #expect(Self.words(text, .smollm) == expected)
    }

    @Test(arguments: [
        ("I'LL say: 12345", ["I", "'LL", " say", ":", " ", "123", "45"]),
        ("(word) ..\n\nx", ["(word", ")", " ..\n\n", "x"]),
        ("a  b \n\n c", ["a", " ", " b", " \n\n", " c"]),
        ("\tx\r\ny", ["\tx", "\r\n", "y"]),
        ("x \n  ", ["x", " \n", "  "]),
        ("a'dé", ["a", "'d", "é"]),
        ("  .x", [" ", " .", "x"]),
    ])
    func `cuts as Llama 3 does`(text: String, expected: [String]) {
        #expect(Self.words(text, .llama3) == expected)
    }

    @Test func `cuts as Qwen 2 does`() {
        #expect(Self.words("x 123", .qwen2) == ["x", " ", "1", "2", "3"])
    }

    @Test func `is known by each of its names and no other`() {
        #expect(PreTokenizer.names.allSatisfy { PreTokenizer(name: $0) != nil })
        #expect(PreTokenizer(name: "default") == nil)
    }

    @Test(arguments: PreTokenizer.allCases) func `always goes forward, to the end of a character`(
        preTokenizer: PreTokenizer
    ) {
        var random = SeededGenerator(seed: 4)
        for _ in 0..<1000 {
            let text = `Text that was encoded`.randomText(&random)
            let words = Self.words(text, preTokenizer)
            #expect(words.allSatisfy { !$0.isEmpty })
            #expect(words.flatMap { Array($0.utf8) } == Array(text.utf8))
        }
    }
}
