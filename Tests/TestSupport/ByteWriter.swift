/// Writes little-endian binary data, GGUF strings among it.
public struct ByteWriter {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func integer(_ value: some FixedWidthInteger) {
        var rest = value.littleEndian
        for _ in 0..<value.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    /// A 64-bit length, then UTF-8.
    public mutating func string(_ text: String) {
        integer(UInt64(text.utf8.count))
        bytes += Array(text.utf8)
    }

    public mutating func raw(_ data: [UInt8]) { bytes += data }

    /// Zeros up to a multiple of `alignment`.
    public mutating func pad(to alignment: Int) {
        while bytes.count % alignment != 0 { bytes.append(0) }
    }
}
