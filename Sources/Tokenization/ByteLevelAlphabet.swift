/// The visible stand-ins for the 256 bytes in which byte-level vocabularies are written: printable characters of
/// Latin-1 stand for themselves, all other bytes for U+0100 and up, in order.
///
/// Source: `bytes_to_unicode` of GPT-2's encoder.py (Radford et al., 2019).
enum ByteLevelAlphabet {
    /// The scalar that stands for each byte.
    static let scalars: [UInt32] = {
        var next: UInt32 = 0x100
        return (0...255).map { (byte: UInt32) in
            if (0x21...0x7E).contains(byte) || (0xA1...0xAC).contains(byte) || (0xAE...0xFF).contains(byte) {
                return byte
            }
            defer { next += 1 }
            return next
        }
    }()

    /// The byte that a scalar below U+0200 stands for; −1 for none.
    private static let bytes: [Int16] = {
        var bytes = [Int16](repeating: -1, count: 0x200)
        for (byte, scalar) in scalars.enumerated() { bytes[Int(scalar)] = Int16(byte) }
        return bytes
    }()

    /// Appends the bytes that `text[range]`, in UTF-8, stands for; false, with part of them appended, if some of it is
    /// not of the alphabet. All of the alphabet takes one or two bytes in UTF-8.
    static func decode(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [UInt8]) -> Bool {
        var index = range.lowerBound
        while index < range.upperBound {
            var scalar = Int(text[index])
            if scalar >= 0x80 {
                guard scalar & 0xE0 == 0xC0, index + 1 < range.upperBound, text[index + 1] & 0xC0 == 0x80 else {
                    return false
                }
                scalar = (scalar & 0x1F) << 6 | Int(text[index + 1] & 0x3F)
                index += 1
            }
            index += 1
            guard scalar < bytes.count, bytes[scalar] >= 0 else { return false }
            output.append(UInt8(bytes[scalar]))
        }
        return true
    }
}
