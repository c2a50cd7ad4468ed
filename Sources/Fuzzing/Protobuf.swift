/// Protobuf's encoding, by hand: for messages that no encoder would make.
public enum Protobuf {
    /// A field of wire type 2: bytes, a text or a message.
    public static func part(_ number: Int, _ content: [UInt8]) -> [UInt8] {
        part(number, announcing: UInt64(content.count), content)
    }

    /// A field of wire type 2 that says it has so many bytes.
    public static func part(_ number: Int, announcing byteCount: UInt64, _ content: [UInt8]) -> [UInt8] {
        varint(UInt64(number << 3 | 2)) + varint(byteCount) + content
    }

    public static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
