import Transport

/// A tensor of a synthetic model: what stands in the file and how its random values are made.
struct SyntheticTensor {
    enum Contents: Equatable {
        /// Four weights to a byte: two random bits added up give −1, 0 and 1 with probabilities ¼, ½ and ¼.
        case packedTernary
        /// bfloat16 numbers of either sign, 2⁻⁷ to 2⁻⁵ in magnitude, so that logits spread by about 1.
        case embedding
        /// bfloat16 numbers from 1 to 1 + 7 ⁄ 128.
        case norm
        /// One bfloat16.
        case scale(Float)
    }

    var name: String
    var shape: [Int]
    var contents: Contents

    var type: String { contents == .packedTernary ? "U8" : "BF16" }
    var byteCount: Int { shape.reduce(1, *) * (contents == .packedTernary ? 1 : 2) }

    /// Fills `words` with the values that follow those made before with the same generator.
    func fill(_ words: inout [UInt64], _ random: inout WordGenerator) {
        switch contents {
        case .packedTernary:
            for index in words.indices {
                let bits = random.next()
                words[index] = bits & 0x5555_5555_5555_5555 &+ bits >> 1 & 0x5555_5555_5555_5555
            }
        case .embedding:
            // Sign, lowest bit of the exponent and fraction are random; the other bits are those of 2⁻⁷ and 2⁻⁶.
            for index in words.indices { words[index] = random.next() & 0x80FF_80FF_80FF_80FF | 0x3C00_3C00_3C00_3C00 }
        case .norm:
            for index in words.indices { words[index] = random.next() & 0x0007_0007_0007_0007 | 0x3F80_3F80_3F80_3F80 }
        case .scale(let scale):
            for index in words.indices { words[index] = UInt64(scale.bitPattern >> 16) }
        }
    }
}

/// 64 random bits at a time.
struct WordGenerator {
    private var generator: SplitMix64

    /// Different sequences for different seeds and streams.
    init(seed: UInt64, stream: UInt64) {
        var mixer = SplitMix64(seed: seed)
        generator = SplitMix64(seed: mixer.next() ^ stream &* 0xD134_2543_DE82_EF95)
    }

    @inline(__always)
    mutating func next() -> UInt64 { generator.next() }
}
