import Kernels

@testable import Checkpoints

/// Reads a whole ternary tensor to see that it is one.
struct TernaryCheck {
    let tensor: TensorDescription

    /// Of four values in a byte, d = 3 shows as both bits of a pair set.
    private static func holdsNoValue(_ byte: UInt8) -> Bool { byte & byte >> 1 & 0x55 != 0 }

    /// Throws `.malformed` if one of the two-bit values is 3.
    func twoBitValues(in range: Range<Int>) throws(CheckpointError) {
        let chunk = 1 << 20
        for start in stride(from: range.lowerBound, to: range.upperBound, by: chunk) {
            let wrong = tensor.file.withBytes(in: start..<min(start + chunk, range.upperBound)) { bytes -> Int? in
                var seen: UInt8 = 0
                for index in 0..<bytes.count { seen |= bytes[index] & bytes[index] >> 1 }
                guard seen & 0x55 != 0 else { return nil }
                for index in 0..<bytes.count where Self.holdsNoValue(bytes[index]) { return index }
                return nil
            }
            if let wrong = wrong ?? nil { throw noValue(at: start + wrong) }
        }
    }

    /// Throws `.malformed` if a value is 3, or is not zero in a block without scale; `.unsupported` if blocks that have a
    /// scale have different ones.
    func blocks() throws(CheckpointError) {
        let size = tensor.type.bytesPerBlock
        var common: UInt16?
        for start in stride(from: tensor.byteRange.lowerBound, to: tensor.byteRange.upperBound, by: size) {
            let bits = tensor.file.integer(at: start + size - 2, as: UInt16.self) ?? 0
            let hasScale = bits & 0x7FFF != 0
            if hasScale {
                if let common, common != bits {
                    throw notTernary(
                        "it is not ternary with one scale: one block has \(Float16(bitPattern: common)), the one at "
                            + "byte \(start) \(Float16(bitPattern: bits))")
                }
                common = bits
            }
            let wrong = tensor.file.withBytes(in: start..<start + size - 2) { bytes in
                firstWrong(bytes, mustBeZero: !hasScale)
            }
            if let wrong = wrong ?? nil { throw noValue(at: start + wrong) }
        }
    }

    /// The first byte of a block's digits with something in it that is no value, or, if all must be, not zero.
    private func firstWrong(_ bytes: Span<UInt8>, mustBeZero: Bool) -> Int? {
        if tensor.type == .tq2_0 {
            for index in 0..<bytes.count
            where mustBeZero ? bytes[index] != 0x55 : Self.holdsNoValue(bytes[index]) {
                return index
            }
        } else if mustBeZero {
            for part in TernaryDigits.parts {
                for index in part.bytes {
                    for digit in 0..<part.digitCount where TernaryDigits.value(bytes[index], digit) != 0 {
                        return index
                    }
                }
            }
        }
        return nil
    }

    /// Throws `.malformed` if a weight is not finite.
    func meanMagnitude() throws(CheckpointError) -> Float {
        var sum = 0.0
        let count = tensor.rows * tensor.columns
        for index in 0..<count {
            let value = tensor.floatingPointValue(at: index)
            guard value.isFinite else {
                throw malformed(
                    at: tensor.byteRange.lowerBound + tensor.byteCount / count * index, "a weight is \(value)")
            }
            sum += Double(value.magnitude)
        }
        return Float(sum / Double(count))
    }

    private func noValue(at byteOffset: Int) -> CheckpointError {
        malformed(at: byteOffset, "a value is none of −1, 0 and 1")
    }

    private func malformed(at byteOffset: Int, _ problem: String) -> CheckpointError {
        .malformed(
            path: tensor.file.path,
            CheckpointProblem(
                place: tensor.name, byteOffset: byteOffset, problem: problem,
                remedy: "the file is damaged: fetch it again"))
    }

    func notTernary(_ problem: String) -> CheckpointError {
        .unsupported(
            path: tensor.file.path,
            CheckpointProblem(
                place: tensor.name, problem: problem, remedy: "fetch or convert a model made for ternary weights"))
    }
}
