import JSON

/// Writes the header of a SafeTensors file whose tensors follow one another.
struct SafeTensorsHeader {
    struct Entry {
        var name: String
        /// Such as `BF16`.
        var type: String
        var shape: [Int]
        var byteCount: Int
    }

    var entries: [Entry]
    /// Key and value, in order.
    var metadata: [(key: String, value: String)]

    /// Bytes of all tensors.
    var dataByteCount: Int { entries.reduce(0) { $0 + $1.byteCount } }

    /// Length and header, with spaces behind it so that the data begins at a multiple of `alignment`.
    func bytes(alignment: Int) -> [UInt8] {
        var text: [UInt8] = []
        func append(_ part: String) { text += part.utf8 }
        append("{\"__metadata__\":{")
        for (index, item) in metadata.enumerated() {
            append(index == 0 ? "" : ",")
            text += JSONText.quoted(item.key)
            append(":")
            text += JSONText.quoted(item.value)
        }
        append("}")
        var offset = 0
        for entry in entries {
            append(",")
            text += JSONText.quoted(entry.name)
            let shape = entry.shape.map(String.init).joined(separator: ",")
            let end = offset + entry.byteCount
            append(":{\"dtype\":\"\(entry.type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        append("}")
        let padding = (alignment - (text.count + 8) % alignment) % alignment
        text += Array(repeating: UInt8(ascii: " "), count: padding)
        let count = UInt64(text.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * UInt64($0))) } + text
    }
}
