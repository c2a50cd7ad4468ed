/// What the pre-tokenisers' regular expressions tell apart.
enum ScalarClass: UInt8, Sendable {
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s`, but neither carriage return nor line feed
    case space
    /// `[\r\n]`
    case newline
    /// `[^\s\p{L}\p{N}]`
    case other

    var isWhitespace: Bool { self == .space || self == .newline }

    /// The class of the scalar at `index` of well-formed UTF-8, and how many bytes it takes.
    @inline(__always)
    static func at(_ index: Int, of text: Span<UInt8>) -> (scalarClass: ScalarClass, byteCount: Int) {
        let lead = text[index]
        return lead < 0x80 ? (ascii(lead), 1) : beyondASCII(index, text)
    }

    @inline(__always)
    private static func ascii(_ byte: UInt8) -> ScalarClass {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A: .letter
        case 0x20, 0x09, 0x0B, 0x0C: .space
        case 0x30...0x39: .number
        case 0x0A, 0x0D: .newline
        default: .other
        }
    }

    private static func beyondASCII(_ index: Int, _ text: Span<UInt8>) -> (scalarClass: ScalarClass, byteCount: Int) {
        let lead = UInt32(text[index])
        let byteCount = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
        guard index + byteCount <= text.count else { return (.other, text.count - index) }
        var value = lead & (0xFF >> UInt32(byteCount + 1))
        for offset in 1..<byteCount { value = value << 6 | UInt32(text[index + offset] & 0x3F) }
        guard let scalar = Unicode.Scalar(value) else { return (.other, byteCount) }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            return (.letter, byteCount)
        case .decimalNumber, .letterNumber, .otherNumber:
            return (.number, byteCount)
        default:
            return (scalar.properties.isWhitespace ? .space : .other, byteCount)
        }
    }
}
