import Transport

/// The arithmetic of a simulated model: hashes in the place of matrices, with the same dependencies. A row of a layer
/// depends on the layer before it and on what the layer's KV cache holds of the position before, so a token depends on
/// all tokens before it, and a cache that holds anything else gives another token. Heads add up in any order, as ranks do.
struct HashModel: Sendable {
    /// Float32 in a row of hidden states: one hash.
    static let hiddenSize = 2

    let layerCount: Int
    let headCount: Int
    let vocabularySize: Int

    /// A hash of both, after the finaliser of MurmurHash3.
    static func mix(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var hash = left &* 0x9E37_79B9_7F4A_7C15 ^ right
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    /// The hidden state of a token before the first layer.
    static func embedding(_ token: Int32) -> UInt64 { mix(1, UInt64(truncatingIfNeeded: token)) }

    /// What a head adds to the hidden state, and what the cache keeps of it.
    /// - Parameter cached: what it kept of the position before; 0 at the first.
    static func part(layer: Int, head: Int, hidden: UInt64, cached: UInt64) -> UInt64 {
        mix(hidden &+ UInt64(layer * 64 + head), cached)
    }

    /// The token that is sampled behind a row.
    func token(_ hidden: UInt64, position: Int, _ sampling: SamplingParameters, promptLength: Int) -> TokenChoice {
        let settings = Self.mix(sampling.seed, UInt64(sampling.temperature.bitPattern))
        let hash = Self.mix(Self.mix(hidden, settings), UInt64(position) << 32 | UInt64(promptLength))
        let token = Int32(hash % UInt64(vocabularySize))
        guard let topCount = sampling.topLogProbabilityCount else { return TokenChoice(token: token) }
        return TokenChoice(
            token: token, logProbability: Self.logProbability(hash, 0), top: Self.top(hash, count: topCount))
    }

    /// The best tokens of a row.
    static func top(_ hash: UInt64, count: Int) -> [TokenLogProbability] {
        (0..<count).map { TokenLogProbability(token: Int32($0), logProbability: logProbability(hash, $0 + 1)) }
    }

    static func logProbability(_ hash: UInt64, _ index: Int) -> Float {
        -Float(mix(hash, UInt64(truncatingIfNeeded: index)) >> 40) * 0x1p-20
    }

    /// The digest of a text's logits up to a row, from that up to the row before.
    static func digest(_ digest: UInt64, _ hidden: UInt64) -> UInt64 { mix(digest, hidden) }

    static func bytes(ofDigest digest: UInt64) -> [UInt8] {
        (0..<32).map { UInt8(truncatingIfNeeded: digest >> (8 * ($0 % 8))) }
    }
}
