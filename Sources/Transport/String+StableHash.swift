extension String {
    /// A number that is the same in every process and on every machine (FNV-1a, 64 bits); not for secrets.
    var stableNumber: UInt64 {
        utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// It in 16 hexadecimal digits.
    public var stableHash: String {
        let digits = String(stableNumber, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
