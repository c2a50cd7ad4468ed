import Checkpoints
import Foundation

/// Text to tokens and back, by byte-level byte-pair encoding. Safe to share between threads.
public final class Tokenizer: Sendable {
    /// The token that a sequence begins with; nil if the vocabulary names none.
    public let beginningOfSequence: Int32?
    /// The token that ends a sequence; nil if the vocabulary names none.
    public let endOfSequence: Int32?
    /// Every token at which generation stops: end of sequence, of turn, of message and their like.
    public let endOfGenerationTokens: Set<Int32>
    /// Whether the model was trained with `beginningOfSequence` in front.
    public let addsBeginningOfSequence: Bool
    /// Whether whole texts, which nothing is to follow, end with `endOfSequence`. `encode` never adds it.
    public let addsEndOfSequence: Bool
    /// How text is cut into words.
    public let preTokenizer: PreTokenizer
    /// The number of tokens.
    public let vocabularySize: Int

    private let normalizesToNFC: Bool
    private let model: BytePairModel
    private let pieces: ByteStrings
    private let isSpecialByToken: [Bool]
    /// Tokens that are recognised in any text.
    private let userDefined: SpecialTokens
    /// Those and the ones that are recognised only on demand.
    private let allSpecial: SpecialTokens

    /// Prepares a vocabulary. Throws `.malformed` if it contradicts itself.
    public init(vocabulary: Vocabulary) throws(TokenizerError) {
        let count = vocabulary.tokens.count
        let specials =
            [vocabulary.beginningOfSequence, vocabulary.endOfSequence].compactMap { $0 } + vocabulary.furtherEnds
        guard count > 0, vocabulary.kinds.count == count, specials.allSatisfy({ (0..<count).contains(Int($0)) }) else {
            throw .malformed(
                path: vocabulary.path,
                CheckpointProblem(
                    place: "tokenizer.ggml.tokens",
                    problem: "\(count) tokens, \(vocabulary.kinds.count) kinds and special tokens \(specials) disagree",
                    remedy: "convert the model again with a current converter"))
        }
        let ends = EndOfGeneration.tokens(of: vocabulary)
        let isSpecial = (0..<count).map { id in
            vocabulary.kinds[id] == .control || vocabulary.kinds[id] == .unknown || ends.contains(Int32(id))
        }
        let userDefined = (0..<Int32(count)).filter { vocabulary.kinds[Int($0)] == .userDefined && !isSpecial[Int($0)] }
        let onDemand = (0..<Int32(count)).filter { isSpecial[Int($0)] }
        model = try BytePairModel(vocabulary: vocabulary)
        pieces = Self.pieces(of: vocabulary)
        isSpecialByToken = isSpecial
        self.userDefined = SpecialTokens(userDefined, of: vocabulary.tokens)
        allSpecial = SpecialTokens(userDefined + onDemand, of: vocabulary.tokens)
        beginningOfSequence = vocabulary.beginningOfSequence
        endOfSequence = vocabulary.endOfSequence
        endOfGenerationTokens = ends
        addsBeginningOfSequence = vocabulary.addsBeginningOfSequence
        addsEndOfSequence = vocabulary.addsEndOfSequence
        preTokenizer = vocabulary.preTokenizer
        normalizesToNFC = vocabulary.normalizesToNFC
        vocabularySize = count
    }

    /// Prepares the vocabulary in a GGUF file, which need not hold a model.
    public convenience init(gguf: GGUFFile) throws(TokenizerError) {
        try self.init(vocabulary: Vocabulary(gguf: gguf))
    }

    /// Prepares a model's vocabulary.
    public convenience init(model: ModelFile) throws(TokenizerError) {
        try self.init(source: model.source)
    }

    /// Prepares the vocabulary in a GGUF file or folder, which need not hold a model.
    public convenience init(source: ModelSource) throws(TokenizerError) {
        switch source {
        case .gguf(let gguf): try self.init(gguf: gguf)
        case .folder(let folder): try self.init(vocabulary: Vocabulary(folder: folder))
        case .converted(let model): try self.init(source: model.origin)
        }
    }

    /// The tokens of `text`.
    ///
    /// User-defined tokens are recognised wherever they are written; control tokens such as `<|im_end|>` only with
    /// `parsesSpecialTokens`, without which text can never become one. With `addsBeginningOfSequence`,
    /// `beginningOfSequence` comes first if the vocabulary says that sequences begin with it.
    public func encode(
        _ text: String, parsesSpecialTokens: Bool = false, addsBeginningOfSequence: Bool = false
    ) -> [Int32] {
        var output: [Int32] = []
        let bytes = Array(text.utf8)
        output.reserveCapacity(bytes.count / 3 + 4)
        if addsBeginningOfSequence, self.addsBeginningOfSequence, let beginningOfSequence {
            output.append(beginningOfSequence)
        }
        let span = bytes.span
        let special = parsesSpecialTokens ? allSpecial : userDefined
        let normalizes = normalizesToNFC && bytes.contains { $0 >= 0x80 }
        var encoder = WordEncoder(model: model, textByteCount: bytes.count)
        var start = 0
        while start < bytes.count {
            let match = special.firstMatch(in: span, from: start)
            let end = match?.range.lowerBound ?? bytes.count
            if normalizes {
                encodeNormalized(String(decoding: bytes[start..<end], as: UTF8.self), into: &output)
            } else {
                encodeWords(span, start..<end, &encoder, into: &output)
            }
            start = end
            if let match {
                output.append(match.token)
                start = match.range.upperBound
            }
        }
        return output
    }

    private func encodeWords(
        _ text: Span<UInt8>, _ range: Range<Int>, _ encoder: inout WordEncoder, into output: inout [Int32]
    ) {
        var start = range.lowerBound
        while start < range.upperBound {
            let wordEnd = preTokenizer.wordEnd(in: text, from: start, to: range.upperBound)
            encoder.encode(text, start..<wordEnd, into: &output)
            start = wordEnd
        }
    }

    /// Text between special tokens, which itself is normalised alone, so that no mark joins the end of a token's name.
    private func encodeNormalized(_ text: String, into output: inout [Int32]) {
        let bytes = Array(text.precomposedStringWithCanonicalMapping.utf8)
        var encoder = WordEncoder(model: model, textByteCount: bytes.count)
        var tokens: [Int32] = []
        encodeWords(bytes.span, 0..<bytes.count, &encoder, into: &tokens)
        output += tokens
    }

    /// Whether a token is a control token or the unknown token, and so is no text. False outside the vocabulary.
    public func isSpecial(_ token: Int32) -> Bool {
        isSpecialByToken.indices.contains(Int(token)) && isSpecialByToken[Int(token)]
    }

    /// The bytes that a token stands for, a special token's name included; part of a character at times. Empty outside
    /// the vocabulary.
    public func piece(of token: Int32) -> [UInt8] {
        guard (0..<vocabularySize).contains(Int(token)) else { return [] }
        return Array(pieces[Int(token)])
    }

    /// The piece as text, with U+FFFD for what is not whole characters.
    public func text(of token: Int32) -> String {
        String(decoding: piece(of: token), as: UTF8.self)
    }

    /// The text of `tokens`, with U+FFFD for what is not UTF-8.
    public func decode(_ tokens: [Int32], includesSpecialTokens: Bool = false) -> String {
        var bytes: [UInt8] = []
        for token in tokens where includesSpecialTokens || !isSpecial(token) {
            guard (0..<vocabularySize).contains(Int(token)) else { continue }
            bytes.append(contentsOf: pieces[Int(token)])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Normal tokens out of the byte-level alphabet; others, and those not written in it, as they are.
    private static func pieces(of vocabulary: Vocabulary) -> ByteStrings {
        var pieces = ByteStrings()
        let texts = vocabulary.tokens.bytes.span
        for id in 0..<vocabulary.tokens.count {
            let start = pieces.bytes.count
            let kind = vocabulary.kinds[id]
            let isVerbatim = kind == .control || kind == .unknown || kind == .userDefined
            if isVerbatim || !ByteLevelAlphabet.decode(texts, vocabulary.tokens.range(id), into: &pieces.bytes) {
                pieces.bytes.removeSubrange(start...)
                pieces.bytes.append(contentsOf: vocabulary.tokens[id])
            }
            pieces.offsets.append(pieces.bytes.count)
        }
        return pieces
    }
}
