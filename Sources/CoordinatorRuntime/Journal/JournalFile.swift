import Foundation
import Kernels

/// A file that records are appended to, each with its length and a checksum.
///
/// A record is in the hands of the operating system when `append` returns: it outlives this process, however that ends,
/// but not a loss of power within the time that the system takes to write it to the disk (Linux: some 30 s). What is
/// broken at the end, as by such a loss, is cut off when the file is opened.
final class JournalFile {
    /// Longest record, in bytes.
    static let maximumRecordByteCount = 64 << 20
    /// Longest file that is read, in bytes.
    static let maximumByteCount = 1 << 30

    struct Problem: Error, CustomStringConvertible {
        /// The file, what is wrong with it, and what helps.
        var description: String
    }

    private static let magic = Array("ryz journal 1\n".utf8)

    private let path: String
    private var handle: FileHandle
    /// Bytes in the file.
    private(set) var byteCount: Int

    /// Opens or makes a file.
    ///
    /// - Parameter take: is given each whole record, in order.
    /// - Returns: also how many bytes at the end were of no use and are cut off.
    static func open(
        _ path: String, _ take: (ArraySlice<UInt8>) -> Void
    ) throws(Problem) -> (file: JournalFile, cutByteCount: Int) {
        guard FileManager.default.fileExists(atPath: path) else {
            return (try JournalFile(making: path, records: []), 0)
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size <= maximumByteCount, let data = FileManager.default.contents(atPath: path) else {
            throw Problem(description: "\(path) cannot be read, or is too large; remove it: open streams are lost then")
        }
        let bytes = [UInt8](data)
        guard bytes.isEmpty || bytes.starts(with: magic) else {
            throw Problem(
                description: "\(path) is not a journal of this release; remove it, or name another state folder")
        }
        if bytes.isEmpty { return (try JournalFile(making: path, records: []), 0) }
        var position = magic.count
        while let (record, end) = record(in: bytes, at: position) {
            take(record)
            position = end
        }
        let file = try JournalFile(appendingTo: path, byteCount: position)
        return (file, bytes.count - position)
    }

    private init(appendingTo path: String, byteCount: Int) throws(Problem) {
        self.path = path
        self.byteCount = byteCount
        do {
            handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.truncate(atOffset: UInt64(byteCount))
            try handle.seek(toOffset: UInt64(byteCount))
        } catch {
            throw Problem(description: "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// A file of these records, in place of one that is there.
    private init(making path: String, records: [[UInt8]]) throws(Problem) {
        self.path = path
        let bytes = Self.magic + records.flatMap(Self.framed)
        byteCount = bytes.count
        handle = try Self.replace(path, with: bytes)
    }

    func append(_ record: [UInt8]) throws(Problem) {
        let bytes = Self.framed(record)
        do {
            try handle.write(contentsOf: Data(bytes))
            byteCount += bytes.count
        } catch {
            // What was written of it would hide all that follows.
            try? handle.truncate(atOffset: UInt64(byteCount))
            _ = try? handle.seek(toOffset: UInt64(byteCount))
            throw Problem(description: "\(path) cannot be written: \(error.localizedDescription)")
        }
    }

    /// Makes the file one of these records only. Whatever happens meanwhile, the old or the new one is there.
    func compact(to records: [[UInt8]]) throws(Problem) {
        let bytes = Self.magic + records.flatMap(Self.framed)
        handle = try Self.replace(path, with: bytes)
        byteCount = bytes.count
    }

    private static func replace(_ path: String, with bytes: [UInt8]) throws(Problem) -> FileHandle {
        do throws(OutputFileError) { try OutputFile.replace(path, with: bytes, isPrivate: true) } catch {
            throw Problem(description: error.description)
        }
        do {
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.seekToEnd()
            return handle
        } catch {
            throw Problem(description: "\(path) cannot be written: \(error.localizedDescription)")
        }
    }
}

extension JournalFile {
    /// Length and checksum, 4 bytes each with the lowest first, then the record.
    private static func framed(_ record: [UInt8]) -> [UInt8] {
        bytes(of: UInt32(record.count)) + bytes(of: Checksum.crc32(record[...])) + record
    }

    /// The record at a position and where it ends; nil if there is no whole one.
    private static func record(in bytes: [UInt8], at position: Int) -> (ArraySlice<UInt8>, end: Int)? {
        let start = position + 8
        guard start <= bytes.count else { return nil }
        let length = Int(number(bytes[position..<position + 4]))
        guard length <= maximumRecordByteCount, start + length <= bytes.count else { return nil }
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
