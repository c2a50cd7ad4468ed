#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension Number {
    static func power(_ base: Double, _ exponent: Double) -> Double {
        pow(base, exponent)
    }
}

/// Python's texts for floats.
enum PythonFloat {
    /// `repr(value)`: the shortest digits that read back as the value, with an exponent below 10⁻⁴ and from 10¹⁶ on.
    static func representation(of value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let sign = value.sign == .minus ? "-" : ""
        if value == 0 { return sign + "0.0" }
        // The standard library prints the same digits, but changes to exponents elsewhere.
        let parts = value.magnitude.description.split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        var digits = Array(mantissa.joined())
        /// Digits before the decimal point.
        var pointPosition = mantissa[0].count + (parts.count > 1 ? Int(parts[1]) ?? 0 : 0)
        while digits.count > 1, digits.first == "0" {
            digits.removeFirst()
            pointPosition -= 1
        }
        while digits.count > 1, digits.last == "0" { digits.removeLast() }
        let exponent = pointPosition - 1
        if exponent < -4 || exponent >= 16 {
            let fraction = digits.count > 1 ? "." + String(digits[1...]) : ""
            let exponentText = PythonText.padded(String(exponent.magnitude), to: 2, with: "0")
            return sign + String(digits[0]) + fraction + "e" + (exponent < 0 ? "-" : "+") + exponentText
        }
        if pointPosition <= 0 {
            return sign + "0." + String(repeating: "0", count: -pointPosition) + String(digits)
        }
        if digits.count <= pointPosition {
            return sign + String(digits) + String(repeating: "0", count: pointPosition - digits.count) + ".0"
        }
        return sign + String(digits[..<pointPosition]) + "." + String(digits[pointPosition...])
    }

    /// More digits after the point than any double has before it runs into zeros.
    static let maximumFractionDigitCount = 1100

    /// The value with that many digits after the point, exact ties rounded to even, as Python's `'%.nf'`.
    static func fixed(_ value: Double, fractionDigitCount: Int) -> String {
        if value.isNaN || value.isInfinite { return representation(of: value) }
        let sign = value.sign == .minus ? "-" : ""
        let significand = value.significandBitPattern | (value.isNormal ? 1 << 52 : 0)
        let exponent = (value.isNormal ? Int(value.exponentBitPattern) : 1) - 1075
        var number = BigNatural(significand)
        for _ in 0..<fractionDigitCount { number.multiply(by: 10) }
        if exponent >= 0 {
            for _ in 0..<exponent { number.multiply(by: 2) }
        } else {
            number.divideRoundingToEven(byPowerOfTwo: -exponent)
        }
        let digits = PythonText.padded(number.decimal, to: fractionDigitCount + 1, with: "0")
        guard fractionDigitCount > 0 else { return sign + digits }
        return sign + digits.dropLast(fractionDigitCount) + "." + digits.suffix(fractionDigitCount)
    }
}

/// A natural number of any size, for exact decimal digits of floats.
private struct BigNatural {
    /// Base 2³², least significant first.
    private var limbs: [UInt32]

    init(_ value: UInt64) {
        limbs = [UInt32(truncatingIfNeeded: value), UInt32(value >> 32)]
    }

    mutating func multiply(by factor: UInt32) {
        var carry: UInt64 = 0
        for index in limbs.indices {
            let product = UInt64(limbs[index]) * UInt64(factor) + carry
            limbs[index] = UInt32(truncatingIfNeeded: product)
            carry = product >> 32
        }
        if carry > 0 { limbs.append(UInt32(carry)) }
    }

    private func bit(_ index: Int) -> Bool {
        let limb = index / 32
        return limb < limbs.count && limbs[limb] >> UInt32(index % 32) & 1 == 1
    }

    mutating func divideRoundingToEven(byPowerOfTwo shift: Int) {
        let isHalfSet = bit(shift - 1)
        let isRestSet = (0..<shift - 1).contains { bit($0) }
        let quotientBitCount = max(0, limbs.count * 32 - shift)
        var quotient = Array(repeating: UInt32(0), count: quotientBitCount / 32 + 1)
        for index in 0..<quotientBitCount where bit(index + shift) { quotient[index / 32] |= 1 << UInt32(index % 32) }
        limbs = quotient
        guard isHalfSet, isRestSet || bit(0) else { return }
        for index in limbs.indices {
            let (sum, overflow) = limbs[index].addingReportingOverflow(1)
            limbs[index] = sum
            if !overflow { return }
        }
        limbs.append(1)
    }

    var decimal: String {
        var rest = limbs
        var groups: [String] = []
        while let last = rest.last {
            if last == 0 {
                rest.removeLast()
                continue
            }
            var remainder: UInt64 = 0
            for index in rest.indices.reversed() {
                let dividend = remainder << 32 | UInt64(rest[index])
                rest[index] = UInt32(dividend / 1_000_000_000)
                remainder = dividend % 1_000_000_000
            }
            groups.append(String(remainder))
        }
        guard let first = groups.popLast() else { return "0" }
        return groups.reversed().reduce(first) { $0 + PythonText.padded($1, to: 9, with: "0") }
    }
}
