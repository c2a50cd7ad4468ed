public import Checkpoints
import Kernels

/// A ternary tensor, in whatever form it is stored, as what it means: rows of −1, 0 and 1, and one scale. Decoded by the
/// definitions of the forms, value by value, to compare checkpoints with.
///
/// Making one reads the whole tensor and refuses what is not ternary, so that packing the values may trust them.
public struct TernaryMatrix: Sendable {
    public let tensor: TensorDescription
    /// What an integer product with the values is multiplied by, besides the scale of what they were multiplied with.
    public let scale: Float
    /// For types made ternary here: what a weight is multiplied by before it is rounded.
    private let reciprocal: Float

    public var rows: Int { tensor.rows }
    public var columns: Int { tensor.columns }

    /// Checks the tensor, which must be ternary (`TensorType.isTernary`); finds the scale of one that is made ternary.
    ///
    /// - Throws: `.malformed` if a value is none of −1, 0 and 1, or a weight to be made so is not finite; `.unsupported`
    ///   if blocks have different scales.
    public init(_ tensor: TensorDescription) throws(CheckpointError) {
        self.tensor = tensor
        let check = TernaryCheck(tensor: tensor)
        guard tensor.tiles == nil else { throw check.notTernary("it lies in tiles already") }
        switch tensor.type {
        case .packedTernary: try check.twoBitValues(in: tensor.byteRange)
        case .i2_s: try check.twoBitValues(in: tensor.byteRange.lowerBound..<tensor.byteRange.upperBound - 32)
        case .tq1_0, .tq2_0: try check.blocks()
        case .ternaryF32, .ternaryF16, .ternaryBF16:
            // Absmean quantisation (Ma et al., The Era of 1-bit LLMs, section 2): weights are divided by their mean
            // magnitude, rounded and clamped. The sum is in double precision and in order, so that it does not depend on
            // who computes it; the floor is that of transformers' `WeightQuant`.
            reciprocal = 1 / max(try check.meanMagnitude(), 1e-5)
            scale = 1 / reciprocal
            return
        case .f32, .f16, .bf16, .q8_0, .q4_0, .q4_1: throw check.notTernary("its type is \(tensor.type)")
        }
        reciprocal = 1
        scale = tensor.scale
    }

    /// Writes row `row`, which must be below `rows`, into the first `columns` of `values`: −1, 0 or 1 each.
    public func decode(row: Int, into values: inout [Int8]) {
        precondition((0..<rows).contains(row) && values.count >= columns)
        switch tensor.type {
        case .packedTernary: decodePacked(row, &values)
        case .i2_s: decodeI2S(row, &values)
        case .tq1_0: decodeTQ1(row, &values)
        case .tq2_0: decodeTQ2(row, &values)
        default:
            let first = row * columns
            for column in 0..<columns {
                let rounded = (tensor.floatingPointValue(at: first + column) * reciprocal).rounded(.toNearestOrEven)
                values[column] = Int8(max(-1, min(1, rounded)))
            }
        }
    }

    /// The bytes of a row.
    private func rowRange(_ row: Int, byteCount: Int) -> Range<Int> {
        let start = tensor.byteRange.lowerBound + row * byteCount
        return start..<start + byteCount
    }

    private func decodePacked(_ row: Int, _ values: inout [Int8]) {
        let (quarter, byteRow) = row.quotientAndRemainder(dividingBy: rows / 4)
        let shift = UInt8(2 * quarter)
        _ = tensor.file.withBytes(in: rowRange(byteRow, byteCount: columns)) { bytes in
            for column in 0..<bytes.count { values[column] = Self.value(bytes[column], shift) }
        }
    }

    private func decodeI2S(_ row: Int, _ values: inout [Int8]) {
        _ = tensor.file.withBytes(in: rowRange(row, byteCount: columns / 4)) { bytes in
            for index in 0..<bytes.count {
                let first = index / 32 * 128 + index % 32
                for group in 0..<4 { values[first + 32 * group] = Self.value(bytes[index], UInt8(6 - 2 * group)) }
            }
        }
    }

    private func decodeTQ2(_ row: Int, _ values: inout [Int8]) {
        _ = tensor.file.withBytes(in: rowRange(row, byteCount: tensor.rowByteCount)) { bytes in
            for block in 0..<columns / 256 {
                for index in 0..<64 {
                    let first = 256 * block + index / 32 * 128 + index % 32
                    let byte = bytes[66 * block + index]
                    for group in 0..<4 { values[first + 32 * group] = Self.value(byte, UInt8(2 * group)) }
                }
            }
        }
    }

    private func decodeTQ1(_ row: Int, _ values: inout [Int8]) {
        _ = tensor.file.withBytes(in: rowRange(row, byteCount: tensor.rowByteCount)) { bytes in
            for block in 0..<columns / 256 {
                for part in TernaryDigits.parts {
                    for index in part.bytes {
                        for digit in 0..<part.digitCount {
                            let column = part.firstValue + part.bytes.count * digit + index - part.bytes.lowerBound
                            values[256 * block + column] = TernaryDigits.value(bytes[54 * block + index], digit)
                        }
                    }
                }
            }
        }
    }

    private static func value(_ byte: UInt8, _ shift: UInt8) -> Int8 { Int8(byte >> shift & 3) - 1 }
}

/// How `TensorType.tq1_0` puts digits of base 3 into bytes.
enum TernaryDigits {
    /// The three runs of bytes in a block, with the values that the first digits stand for.
    static let parts: [(bytes: Range<Int>, digitCount: Int, firstValue: Int)] = [
        (0..<32, 5, 0), (32..<48, 5, 160), (48..<52, 4, 240),
    ]

    private static let powers: [UInt8] = [1, 3, 9, 27, 81]

    /// Digit `digit` of a byte, less 1. Whatever the byte, it is −1, 0 or 1.
    static func value(_ byte: UInt8, _ digit: Int) -> Int8 {
        Int8((UInt16(byte &* powers[digit]) * 3) >> 8) - 1
    }
}

extension TensorDescription {
    /// Value `index`, counted over all rows, of a tensor that holds floating-point values.
    func floatingPointValue(at index: Int) -> Float {
        switch type {
        case .f32, .ternaryF32:
            let bits = file.integer(at: byteRange.lowerBound + 4 * index, as: UInt32.self)
            return Float(bitPattern: bits ?? 0)
        case .f16, .ternaryF16:
            let bits = file.integer(at: byteRange.lowerBound + 2 * index, as: UInt16.self)
            return Float(Float16(bitPattern: bits ?? 0))
        default:
            let bits = file.integer(at: byteRange.lowerBound + 2 * index, as: UInt16.self)
            return Float(bitPattern: UInt32(bits ?? 0) << 16)
        }
    }
}
