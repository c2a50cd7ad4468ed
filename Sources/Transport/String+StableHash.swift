extension String {
    /// 16 hexadecimal digits that are the same in every process and on every machine (FNV-1a, 64 bits); not for secrets.
    public var stableHash: String {
        let digits = String(
            utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
