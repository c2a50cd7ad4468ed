import Checkpoints

/// A vocabulary prepared for encoding: symbols instead of texts.
///
/// Symbols are the tokens, by id, and beyond them texts that occur while merging but are no tokens themselves.
struct BytePairModel: Sendable {
    /// The bytes of every symbol; tokens that are not for text have none.
    let symbols: ByteStrings
    let tokenCount: Int
    let merges: MergeTable
    /// The symbol of each single byte.
    let byteSymbols: [Int32]
    /// Whether a word that is a token as a whole becomes that token, whatever the merges say.
    let ignoresMerges: Bool
    private let index: ByteStringIndex

    /// Throws `.malformed` if a merge is not a pair.
    init(vocabulary: Vocabulary) throws(TokenizerError) {
        tokenCount = vocabulary.tokens.count
        ignoresMerges = vocabulary.ignoresMerges
        var builder = Builder(vocabulary: vocabulary)
        byteSymbols = (0...255).map { builder.symbol(of: [UInt8($0)], 0..<1) }
        merges = try builder.mergeTable(of: vocabulary)
        symbols = builder.symbols
        index = builder.index
    }

    /// The token whose bytes are `text[range]`; nil if there is none.
    func token(_ text: Span<UInt8>, _ range: Range<Int>) -> Int32? {
        guard let symbol = index.find(text, range, in: symbols), symbol < tokenCount else { return nil }
        return symbol
    }

    /// Appends the token that `symbol` is, or those of its bytes. A byte without a token is left out, as the reference
    /// tokenisers do.
    @inline(__always)
    func emit(_ symbol: Int32, into output: inout [Int32]) {
        if symbol < tokenCount {
            output.append(symbol)
        } else {
            for byte in symbols[Int(symbol)] where byteSymbols[Int(byte)] < tokenCount {
                output.append(byteSymbols[Int(byte)])
            }
        }
    }

    private struct Builder {
        var symbols = ByteStrings()
        var index = ByteStringIndex()

        init(vocabulary: Vocabulary) {
            symbols.bytes.reserveCapacity(vocabulary.tokens.bytes.count)
            symbols.offsets.reserveCapacity(vocabulary.tokens.count + 1)
            let texts = vocabulary.tokens.bytes.span
            for id in 0..<vocabulary.tokens.count {
                let kind = vocabulary.kinds[id]
                // Text never becomes a control token, whatever the merges lead to.
                let isForText = kind != .control && kind != .unknown
                let start = symbols.bytes.count
                if !isForText || !ByteLevelAlphabet.decode(texts, vocabulary.tokens.range(id), into: &symbols.bytes) {
                    symbols.bytes.removeSubrange(start...)
                }
                symbols.offsets.append(symbols.bytes.count)
                if symbols.bytes.count > start { index.insert(Int32(id), of: symbols) }
            }
        }

        /// The symbol for `text[range]`, a new one if need be.
        mutating func symbol(of text: [UInt8], _ range: Range<Int>) -> Int32 {
            if let known = index.find(text.span, range, in: symbols) { return known }
            let symbol = Int32(symbols.count)
            symbols.append(Array(text[range]))
            index.insert(symbol, of: symbols)
            return symbol
        }

        mutating func mergeTable(of vocabulary: Vocabulary) throws(TokenizerError) -> MergeTable {
            var table = MergeTable(capacity: vocabulary.merges.count)
            let texts = vocabulary.merges.bytes.span
            var pair: [UInt8] = []
            for rank in 0..<vocabulary.merges.count {
                let range = vocabulary.merges.range(rank)
                guard let space = range.dropFirst().first(where: { texts[$0] == 0x20 }) else {
                    throw .malformed(
                        path: vocabulary.path,
                        CheckpointProblem(
                            place: "tokenizer.ggml.merges", problem: "merge \(rank) is not a pair",
                            remedy: "convert the model again with a current converter"))
                }
                pair.removeAll(keepingCapacity: true)
                // A text outside the alphabet never comes up, because encoding starts from bytes.
                guard ByteLevelAlphabet.decode(texts, range.lowerBound..<space, into: &pair) else { continue }
                let split = pair.count
                guard ByteLevelAlphabet.decode(texts, space + 1..<range.upperBound, into: &pair), split < pair.count
                else { continue }
                table.insert(
                    symbol(of: pair, 0..<split), symbol(of: pair, split..<pair.count), rank: UInt32(rank),
                    merged: symbol(of: pair, 0..<pair.count))
            }
            return table
        }
    }
}
