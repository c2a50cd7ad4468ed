import TestSupport
import Testing
import Tokenization

@Suite struct `A tokeniser` {
    @Test func `merges the earliest-ranked pair first, within words only`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        func pieces(_ text: String) -> [String] { tokenizer.encode(text).map(tokenizer.text(of:)) }
        #expect(pieces("the") == ["the"])
        #expect(pieces("in the") == ["i", "n", " the"])
        #expect(pieces("hello") == ["he", "ll", "o"])
        // "t h" ranks before "h e".
        #expect(pieces("tha") == ["th", "a"])
        #expect(pieces("aaaaa") == ["aaaa", "a"])
        #expect(pieces("aaaaaaa") == ["aaaa", "aa", "a"])
    }

    @Test func `recognises control tokens only on demand and user-defined ones always, the longest first`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        let text = "<|im_start|>a<tool>end<tool>b<|im_end|><unk>"
        #expect(
            tokenizer.encode(text, parsesSpecialTokens: true) == [
                SmallVocabulary.start, 0x61, SmallVocabulary.toolEnd, SmallVocabulary.tool, 0x62, SmallVocabulary.end,
                SmallVocabulary.unknown,
            ])
        let plain = tokenizer.encode(text)
        #expect(plain.filter { $0 >= SmallVocabulary.firstSpecial } == [SmallVocabulary.toolEnd, SmallVocabulary.tool])
        #expect(tokenizer.decode(plain) == text)
        #expect(tokenizer.encode("<|im_", parsesSpecialTokens: true).count == 5)
    }

    @Test func `never makes a control token of text, even if merges lead to it`() throws {
        var vocabulary = SmallVocabulary.vocabulary()
        vocabulary.kinds[256] = .control  // "th"
        let tokenizer = try Tokenizer(vocabulary: vocabulary)
        #expect(tokenizer.encode("th") == [0x74, 0x68])
        #expect(tokenizer.encode("th", parsesSpecialTokens: true) == [256])
        // Merges beyond it still apply.
        #expect(tokenizer.encode("the").map(tokenizer.text(of:)) == ["the"])
    }

    @Test func `puts the beginning of a sequence in front only if the vocabulary says so`() throws {
        var vocabulary = SmallVocabulary.vocabulary()
        #expect(try Tokenizer(vocabulary: vocabulary).encode("a", addsBeginningOfSequence: true) == [0x61])
        vocabulary.addsBeginningOfSequence = true
        let tokenizer = try Tokenizer(vocabulary: vocabulary)
        #expect(tokenizer.encode("a", addsBeginningOfSequence: true) == [SmallVocabulary.start, 0x61])
        #expect(tokenizer.encode("", addsBeginningOfSequence: true) == [SmallVocabulary.start])
        #expect(tokenizer.encode("a") == [0x61])
        #expect(tokenizer.encode("") == [])
    }

    @Test func `tells special tokens and ends of generation`() throws {
        var vocabulary = SmallVocabulary.vocabulary()
        vocabulary.furtherEnds = [5]
        let tokenizer = try Tokenizer(vocabulary: vocabulary)
        #expect(tokenizer.endOfGenerationTokens == [5, SmallVocabulary.end])
        #expect(tokenizer.isSpecial(SmallVocabulary.start))
        #expect(tokenizer.isSpecial(SmallVocabulary.unknown))
        #expect(!tokenizer.isSpecial(SmallVocabulary.tool))
        #expect(!tokenizer.isSpecial(0x61))
        #expect(!tokenizer.isSpecial(-1))
        #expect(!tokenizer.isSpecial(.max))
    }

    @Test func `decodes tokens to bytes, text and nothing at all outside the vocabulary`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        #expect(tokenizer.piece(of: 0xC3) == [0xC3])
        #expect(tokenizer.text(of: 0xC3) == "\u{FFFD}")
        #expect(tokenizer.text(of: SmallVocabulary.end) == "<|im_end|>")
        #expect(tokenizer.piece(of: -1) == [])
        #expect(tokenizer.piece(of: Int32(tokenizer.vocabularySize)) == [])
        #expect(tokenizer.decode([-5, 0xC3, 0xA9, .max, SmallVocabulary.end]) == "é")
        #expect(tokenizer.decode([0x61, SmallVocabulary.end], includesSpecialTokens: true) == "a<|im_end|>")
    }

    @Test func `leaves out bytes that the vocabulary has no token for`() throws {
        var vocabulary = SmallVocabulary.vocabulary()
        let texts = TinyLlama.byteTexts.enumerated().map { $0 == 0x7A ? "[none]" : $1 }
        vocabulary.tokens = ByteStrings(
            texts + SmallVocabulary.merges.map { $0.replacing(" ", with: "") } + SmallVocabulary.specials.map(\.0))
        let tokenizer = try Tokenizer(vocabulary: vocabulary)
        #expect(tokenizer.encode("azb") == [0x61, 0x62])
        #expect(tokenizer.encode("z") == [])
    }

    /// Were the time quadratic, this would take hours.
    @Test func `takes a megabyte of one letter in its stride`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        let count = (1 << 20) + 3
        let tokens = tokenizer.encode(String(repeating: "a", count: count))
        #expect(tokens.count == count / 4 + 2)
        #expect(tokens.map(tokenizer.piece(of:)).reduce(0) { $0 + $1.count } == count)
    }

    @Test func `merges long words as it merges short ones`() throws {
        let tokenizer = try SmallVocabulary.tokenizer()
        var random = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let length = Int.random(in: 40...120, using: &random)
            let word = String((0..<length).map { _ in "theal".randomElement(using: &random) ?? "t" })
            #expect(tokenizer.encode(word) == Self.mergedNaively(word))
        }
    }

    /// Byte-pair encoding as it is defined, with no thought of speed.
    private static func mergedNaively(_ word: String) -> [Int32] {
        var parts = word.map(String.init)
        let ranks = Dictionary(uniqueKeysWithValues: zip(SmallVocabulary.merges, 0...))
        while true {
            let pairs = zip(parts, parts.dropFirst()).map { ranks["\($0) \($1)"] ?? .max }
            guard let best = pairs.min(), best < .max, let index = pairs.firstIndex(of: best) else { break }
            parts[index] += parts.remove(at: index + 1)
        }
        let merged = SmallVocabulary.merges.map { $0.replacing(" ", with: "") }
        return parts.map { part in
            part.utf8.count == 1
                ? Int32(Array(part.utf8)[0]) : Int32(256 + (merged.firstIndex(of: part) ?? 0))
        }
    }
}

@Suite struct `Text that was encoded` {
    static let alphabet = Array(
        "aeth  \n\t\r.,!?'sSdDlLvVeE0123½٣éßñ中文🦙\u{200D}\u{FE0F}\u{A0}\u{3000}\u{2028}<|_im>नमस्ते\u{0}\u{301}")

    static func randomText(_ random: inout SeededGenerator) -> String {
        let count = Int.random(in: 0...80, using: &random)
        var text = String.UnicodeScalarView()
        for _ in 0..<count {
            if Int.random(in: 0..<10, using: &random) == 0 {
                let value = UInt32.random(in: 0...0x10FFFF, using: &random)
                if let scalar = Unicode.Scalar(value) { text.append(scalar) }
            } else if let character = alphabet.randomElement(using: &random) {
                text.append(contentsOf: character.unicodeScalars)
            }
        }
        return String(text)
    }

    @Test(arguments: PreTokenizer.allCases) func `decodes to itself`(preTokenizer: PreTokenizer) throws {
        let tokenizer = try SmallVocabulary.tokenizer(preTokenizer)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<1500 {
            let text = Self.randomText(&random)
            // Compared byte by byte: Swift's == takes canonically equivalent texts for equal.
            #expect(Array(tokenizer.decode(tokenizer.encode(text)).utf8) == Array(text.utf8))
            let special = tokenizer.encode(text, parsesSpecialTokens: true)
            #expect(Array(tokenizer.decode(special, includesSpecialTokens: true).utf8) == Array(text.utf8))
        }
    }
}
