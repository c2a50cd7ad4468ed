/// The bytes of a journal: a line that says what it is, then each record with its length and a checksum.
package enum JournalFormat {
    /// Longest record, in bytes.
    package static let maximumRecordByteCount = 64 << 20

    static let magic = Array("ryz journal 1\n".utf8)

    /// The bytes of a journal of these records only.
    static func file(of records: [[UInt8]]) -> [UInt8] { magic + records.flatMap(framed) }

    /// Length and checksum, 4 bytes each with the lowest first, then the record.
    package static func framed(_ record: [UInt8]) -> [UInt8] {
        bytes(of: UInt32(record.count)) + bytes(of: Checksum.crc32(record[...])) + record
    }

    /// Reads a journal.
    ///
    /// - Parameter take: is given each whole record, in order.
    /// - Returns: where the last of them ends; nil if these are not the bytes of a journal.
    static func read(_ bytes: [UInt8], _ take: (ArraySlice<UInt8>) -> Void) -> Int? {
        guard bytes.starts(with: magic) else { return nil }
        var position = magic.count
        while let (record, end) = record(in: bytes, at: position) {
            take(record)
            position = end
        }
        return position
    }

    /// The record at a position and where it ends; nil if there is no whole one. None is empty: zeroes are what a file system
    /// may leave behind after a loss of power, and their checksum is right.
    private static func record(in bytes: [UInt8], at position: Int) -> (ArraySlice<UInt8>, end: Int)? {
        let start = position + 8
        guard start <= bytes.count else { return nil }
        let length = Int(number(bytes[position..<position + 4]))
        guard length > 0, length <= maximumRecordByteCount, start + length <= bytes.count else { return nil }
        let record = bytes[start..<start + length]
        guard Checksum.crc32(record) == number(bytes[position + 4..<start]) else { return nil }
        return (record, start + length)
    }

    private static func bytes(of number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
}

/// CRC-32 as in IEEE 802.3 and zlib.
enum Checksum {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }

    static func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
    }
}
