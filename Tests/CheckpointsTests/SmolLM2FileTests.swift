import Checkpoints
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.hasSmolLM2, "SmolLM2 has not been fetched: scripts/fetch-model smollm2"))
struct `The file of SmolLM2` {
    @Test func `holds the model that it is known to be`() throws {
        let model = try ModelFile(path: Fixtures.smolLM2Path)
        let rope = RotaryEmbedding(base: 100_000, rotatedDimension: 64, scaling: .none, pairing: .interleaved)
        #expect(
            model.configuration
                == ModelConfiguration(
                    architecture: "llama", name: "Smollm2 135M 8k Lc100K Mix1 Ep2", layerCount: 30, hiddenSize: 576,
                    feedForwardSize: 1536, attentionHeadCount: 9, keyValueHeadCount: 3, headDimension: 64,
                    vocabularySize: 49_152, contextLength: 8192, normEpsilon: 1e-5, rope: rope))
        #expect(model.hasTiedHead)
        #expect(model.tokenEmbedding.type == .q8_0)
        #expect(model.layers.allSatisfy { $0.down.type == .q4_1 && $0.feedForwardNorm.type == .f32 })
        let total = model.headerByteCount + model.layerByteCounts.reduce(0, +) + model.headByteCount
        #expect(total == model.byteCount)
    }
}
