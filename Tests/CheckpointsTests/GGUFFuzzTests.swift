import Checkpoints
import TestSupport
import Testing

@Suite struct `Random damage to a GGUF file` {
    /// A model as small as can be, so that most of the damage hits what is parsed.
    private static func smallModel() -> GGUFBuilder {
        var tiny = TinyLlama()
        tiny.layerCount = 1
        tiny.hiddenSize = 32
        tiny.feedForwardSize = 32
        tiny.attentionHeadCount = 2
        tiny.vocabularySize = 8
        tiny.ropeFrequencyFactors = Array(repeating: 1, count: 8)
        var builder = tiny.builder()
        builder.metadata.removeAll { $0.key.hasPrefix("tokenizer.") }
        builder["general.languages"] = .strings(["en", "de"])
        builder["general.nested"] = .arrays([.int32s([1, 2, 3]), .strings(["a", "b"]), .arrays([.float32s([1])])])
        return builder
    }

    @Test func `is refused or leads to a model within the file, and never crashes`() throws {
        let whole = Self.smallModel().build()
        let temporary = try TemporaryFile(whole)
        let headerByteCount = try ModelFile(path: temporary.path).headerByteCount
        var random = SeededGenerator(seed: 20)
        var refused = 0
        for _ in 0..<20_000 {
            var bytes = whole
            Self.damage(&bytes, headerByteCount, &random)
            try temporary.overwrite(bytes)
            do {
                let model = try ModelFile(path: temporary.path)
                let tensors = model.layers.flatMap(\.all) + [model.tokenEmbedding, model.outputNorm, model.head]
                let areInside = tensors.allSatisfy {
                    $0.byteRange.lowerBound >= model.headerByteCount && $0.byteRange.upperBound <= bytes.count
                }
                #expect(areInside)
            } catch {
                #expect(error.description.hasPrefix(temporary.path))
                refused += 1
            }
        }
        #expect(refused > 1000)
    }

    /// One to four changes: a byte, a 64-bit length or count, a piece removed, or the end cut off.
    private static func damage(_ bytes: inout [UInt8], _ headerByteCount: Int, _ random: inout SeededGenerator) {
        let extremes: [UInt64] = [0, 1, 1 << 31, 1 << 32, 1 << 60, 1 << 63, .max, .max - 7]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let position = Int.random(in: 0..<min(headerByteCount, bytes.count - 8), using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                let value = extremes[Int.random(in: 0..<extremes.count, using: &random)]
                for index in 0..<8 { bytes[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
            case 1:
                bytes.removeSubrange(position..<position + Int.random(in: 1...8, using: &random))
            case 2:
                bytes.removeLast(Int.random(in: 0..<bytes.count / 8, using: &random))
            default:
                bytes[position] = UInt8.random(in: 0...255, using: &random)
            }
        }
    }
}
