import TestSupport
import Tokenization

/// A vocabulary of the 256 bytes, a few merges and a few special tokens.
enum SmallVocabulary {
    static let merges = ["t h", "th e", "Ġ the", "a a", "aa aa", "h e", "l l"]

    /// Ids from `firstSpecial` on, in order: texts and kinds.
    static let specials: [(String, Vocabulary.TokenKind)] = [
        ("<|im_start|>", .control), ("<|im_end|>", .control), ("<tool>", .userDefined), ("<tool>end", .userDefined),
        ("<unk>", .unknown),
    ]
    static let firstSpecial = Int32(256 + merges.count)
    static let start = firstSpecial
    static let end = firstSpecial + 1
    static let tool = firstSpecial + 2
    static let toolEnd = firstSpecial + 3
    static let unknown = firstSpecial + 4

    static func vocabulary(_ preTokenizer: PreTokenizer = .gpt2) -> Vocabulary {
        let merged = merges.map { $0.replacing(" ", with: "") }
        return Vocabulary(
            path: "small", tokens: ByteStrings(TinyLlama.byteTexts + merged + specials.map(\.0)),
            kinds: Array(repeating: .normal, count: Int(firstSpecial)) + specials.map(\.1),
            merges: ByteStrings(merges), preTokenizer: preTokenizer, beginningOfSequence: start, endOfSequence: end)
    }

    static func tokenizer(_ preTokenizer: PreTokenizer = .gpt2) throws -> Tokenizer {
        try Tokenizer(vocabulary: vocabulary(preTokenizer))
    }
}
