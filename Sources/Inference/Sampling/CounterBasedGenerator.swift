/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): a draw is a function of seed and
/// counter, with no state between draws, so a token is drawn alike whoever draws it and however often.
public struct CounterBasedGenerator: Sendable {
    public let seed: UInt64

    public init(seed: UInt64) { self.seed = seed }

    /// A number in [0, 1) with 53 random bits.
    public func uniform(at counter: UInt64) -> Double {
        let words = block(at: (UInt32(truncatingIfNeeded: counter), UInt32(counter >> 32), 0, 0))
        return Double((UInt64(words.0) << 32 | UInt64(words.1)) >> 11) * 0x1p-53
    }

    /// The generator's block for a counter of 128 bits.
    func block(at counter: (UInt32, UInt32, UInt32, UInt32)) -> (UInt32, UInt32, UInt32, UInt32) {
        var key = (UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32))
        var words = counter
        for _ in 0..<10 {
            let left = UInt64(words.0) * 0xD251_1F53
            let right = UInt64(words.2) * 0xCD9E_8D57
            words = (
                UInt32(right >> 32) ^ words.1 ^ key.0, UInt32(truncatingIfNeeded: right),
                UInt32(left >> 32) ^ words.3 ^ key.1, UInt32(truncatingIfNeeded: left)
            )
            key = (key.0 &+ 0x9E37_79B9, key.1 &+ 0xBB67_AE85)
        }
        return words
    }
}
