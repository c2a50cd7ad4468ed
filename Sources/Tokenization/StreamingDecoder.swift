/// Turns tokens into text as they come, in whole characters (Unicode scalars) only.
///
/// All that it returns, joined, equals `Tokenizer.decode` of all tokens.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let includesSpecialTokens: Bool
    /// The beginning of a character: at most 3 bytes.
    private var pending: [UInt8] = []

    public init(tokenizer: Tokenizer, includesSpecialTokens: Bool = false) {
        self.tokenizer = tokenizer
        self.includesSpecialTokens = includesSpecialTokens
    }

    /// The text that is certain after one more token; empty while a character is incomplete. Bytes that cannot become
    /// a character come out as U+FFFD at once.
    public mutating func append(_ token: Int32) -> String {
        guard includesSpecialTokens || !tokenizer.isSpecial(token) else { return "" }
        pending += tokenizer.piece(of: token)
        let heldBack = Self.incompleteSuffixByteCount(pending)
        let text = String(decoding: pending.dropLast(heldBack), as: UTF8.self)
        pending.removeFirst(pending.count - heldBack)
        return text
    }

    /// What is left at the end: U+FFFD if a character remained incomplete.
    public mutating func finish() -> String {
        defer { pending = [] }
        return String(decoding: pending, as: UTF8.self)
    }

    /// How many bytes at the end are a beginning of a character that further bytes can complete.
    ///
    /// Source: the Unicode Standard, table 3-7, well-formed UTF-8 byte sequences.
    static func incompleteSuffixByteCount(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let suffix = bytes.suffix(count)
            guard let lead = suffix.first, lead & 0xC0 != 0x80 else { continue }
            let wanted: Int
            switch lead {
            case 0xC2...0xDF: wanted = 2
            case 0xE0...0xEF: wanted = 3
            case 0xF0...0xF4: wanted = 4
            default: return 0
            }
            return count < wanted && isPossibleBeginning(lead, second: suffix.dropFirst().first) ? count : 0
        }
        return 0
    }

    private static func isPossibleBeginning(_ lead: UInt8, second: UInt8?) -> Bool {
        guard let second else { return true }
        return switch lead {
        case 0xE0: second >= 0xA0
        case 0xED: second <= 0x9F
        case 0xF0: second >= 0x90
        case 0xF4: second <= 0x8F
        default: true
        }
    }
}
