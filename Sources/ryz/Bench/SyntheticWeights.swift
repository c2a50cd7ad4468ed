import Foundation
import Kernels

/// Weights of a type and shape for measuring: a matrix of equal rows, in a file as kernels take it.
enum SyntheticWeights {
    static func source(type: WeightType, name: String, rows: Int, columns: Int) throws -> WeightSource {
        let file = try file(row: row(type: type, columns: columns), rows: rows)
        return try WeightSource(name: name, file: file, byteOffset: 0, type: type, rows: rows, columns: columns)
    }

    /// Ternary weights; `rows` is a multiple of 4.
    static func ternarySource(name: String, rows: Int, columns: Int) throws -> TernarySource {
        let row = Data((0..<columns).map { [0x00, 0x19, 0x52, 0xA4, 0x61][$0 % 5] })
        let file = try file(row: row, rows: rows / 4)
        return try TernarySource(
            name: name, file: file, byteOffset: 0, form: .quarters, rows: rows, columns: columns, scale: 1)
    }

    private static func file(row: Data, rows: Int) throws -> MappedFile {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-bench-\(UUID().uuidString)")
        // The mapping keeps the bytes; the name goes at once, so that nothing is left behind however this ends.
        defer { try? FileManager.default.removeItem(at: url) }
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw CocoaError(.fileWriteNoPermission, userInfo: [NSFilePathErrorKey: url.path])
        }
        let handle = try FileHandle(forWritingTo: url)
        defer { try? handle.close() }
        let group = 64
        var rowsOfGroup = Data(capacity: row.count * group)
        for _ in 0..<group { rowsOfGroup += row }
        for first in stride(from: 0, to: rows, by: group) {
            try handle.write(contentsOf: rowsOfGroup.prefix(row.count * min(group, rows - first)))
        }
        return try MappedFile(path: url.path)
    }

    /// One row: scales of 2⁻⁷ and values that differ from one to the next.
    private static func row(type: WeightType, columns: Int) -> Data {
        var data = Data()
        let half: [UInt8] = [0x00, 0x20]  // 2⁻⁷ in binary16
        for block in 0..<columns / WeightType.blockColumns {
            let values = (0..<WeightType.blockColumns).map { UInt8(truncatingIfNeeded: (block + $0) &* 37) }
            switch type {
            case .f32: for value in values { data += bytes(of: (Float(value) / 256).bitPattern) }
            case .bf16: for value in values { data += bytes(of: (Float(value) / 256).bitPattern).suffix(2) }
            case .f16: for value in values { data += [value, 0x2C] }
            case .q8_0: data += half + values
            case .q4_0: data += half + values.prefix(16)
            case .q4_1: data += half + half + values.prefix(16)
            }
        }
        return data
    }

    private static func bytes(of bits: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: bits >> (8 * $0)) }
    }
}
