/// What a model's tokens are and how text becomes them.
public struct Vocabulary: Sendable, Equatable {
    /// What a token is for. Raw values as in `tokenizer.ggml.token_type`.
    public enum TokenKind: UInt8, Sendable {
        case undefined = 0
        case normal, unknown, control, userDefined, unused, byte
    }

    /// Where it was read from, for error messages.
    public var path: String
    /// Each token's text in UTF-8; normal ones in the byte-level alphabet of GPT-2.
    public var tokens: ByteStrings
    /// What each token is for; as many as tokens.
    public var kinds: [TokenKind]
    /// Pairs of texts, separated by a space, that are merged; the earlier, the sooner.
    public var merges: ByteStrings
    /// How text is cut into words, across whose borders nothing is merged.
    public var preTokenizer: PreTokenizer
    /// The token that a sequence begins with.
    public var beginningOfSequence: Int32?
    /// The token that ends a sequence.
    public var endOfSequence: Int32?
    /// Further tokens that the file names as ends: of turn, of message, of a fill-in-the-middle part.
    public var furtherEnds: [Int32]
    /// Whether the model was trained with `beginningOfSequence` in front.
    public var addsBeginningOfSequence: Bool
    /// Whether whole texts, which nothing is to follow, end with `endOfSequence`.
    public var addsEndOfSequence = false
    /// Whether a word that is a token as a whole becomes that token, whatever the merges say.
    public var ignoresMerges: Bool
    /// Whether text is brought into Unicode's normalisation form C first.
    public var normalizesToNFC = false

    public init(
        path: String, tokens: ByteStrings, kinds: [TokenKind], merges: ByteStrings, preTokenizer: PreTokenizer,
        beginningOfSequence: Int32? = nil, endOfSequence: Int32? = nil, furtherEnds: [Int32] = [],
        addsBeginningOfSequence: Bool = false
    ) {
        self.path = path
        self.tokens = tokens
        self.kinds = kinds
        self.merges = merges
        self.preTokenizer = preTokenizer
        self.beginningOfSequence = beginningOfSequence
        self.endOfSequence = endOfSequence
        self.furtherEnds = furtherEnds
        self.addsBeginningOfSequence = addsBeginningOfSequence
        ignoresMerges = preTokenizer.ignoresMerges
    }
}
