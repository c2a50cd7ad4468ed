import Checkpoints
import TestSupport
import Testing

@Suite(.enabled(if: Fixtures.has("bitnet/bitnet-a"), "the fixtures in bitnet are not there"))
struct `A published BitNet folder` {
    @Test func `gives configuration, tensors and scales`() throws {
        let model = try ModelFile(path: Fixtures.path("bitnet/bitnet-a"))
        let rope = RotaryEmbedding(base: 500_000, rotatedDimension: 64, scaling: .none, pairing: .halves)
        #expect(
            model.configuration
                == ModelConfiguration(
                    architecture: "BitNetForCausalLM", name: "", layerCount: 4, hiddenSize: 256, feedForwardSize: 640,
                    attentionHeadCount: 4, keyValueHeadCount: 2, headDimension: 64, vocabularySize: 768,
                    contextLength: 2048, normEpsilon: 1e-5, rope: rope, activation: .squaredReLU, hasSubNorms: true))
        #expect(model.hasTiedHead)
        #expect(model.tokenEmbedding.type == .bf16)
        let layer = model.layers[3]
        #expect(layer.key.type == .packedTernary)
        #expect([layer.key.rows, layer.key.columns, layer.key.byteCount] == [128, 256, 128 * 256 / 4])
        #expect(layer.attentionSubNorm?.columns == 256)
        #expect(layer.feedForwardSubNorm?.columns == 640)
        #expect(layer.all.count == 11)
        #expect(layer.down.file.path.hasSuffix("bitnet-a/model.safetensors"))
    }

    @Test func `may be given by its folder, its configuration or its weights`() throws {
        let whole = try ModelFile(path: Fixtures.path("bitnet/bitnet-b"))
        #expect(!whole.hasTiedHead)
        for name in ["/", "/config.json", "/model.safetensors"] {
            let model = try ModelFile(path: Fixtures.path("bitnet/bitnet-b") + name)
            #expect(model.path == whole.path)
            #expect(model.headerDigest == whole.headerDigest)
            #expect(model.configuration == whole.configuration)
        }
    }

    /// The checkpoints `a` and `c` hold their scales in opposite senses.
    @Test func `has scales that the product is multiplied by, whichever way they are stored`() throws {
        for (name, divides) in [("bitnet-a", false), ("bitnet-c", true)] {
            let model = try ModelFile(path: Fixtures.path("bitnet/\(name)"))
            let file = try SafeTensorsFile(path: model.layers[0].query.file.path)
            for tensor in model.layers.flatMap(\.all) where tensor.type.isTernary {
                let stored = try #require(file.tensor(named: tensor.name + "_scale"))
                let bits = try #require(file.file.integer(at: stored.byteRange.lowerBound, as: UInt16.self))
                let value = Float(bitPattern: UInt32(bits) << 16)
                #expect(tensor.scale == (divides ? 1 / value : value))
                #expect(tensor.scale > 0.001 && tensor.scale < 1)
            }
        }
    }

    @Test(.enabled(if: Fixtures.has("ryz-tiny"), "the fixture ryz-tiny is not there"))
    func `may be a trained model`() throws {
        let model = try ModelFile(path: Fixtures.path("ryz-tiny"))
        #expect(model.configuration.keyValueHeadCount == 5)
        #expect(model.configuration.rope.base == 10_000)
        let total = model.headerByteCount + model.layerByteCounts.reduce(0, +) + model.headByteCount
        // Seven scales of two bytes in each layer.
        #expect(total + 6 * 7 * 2 == model.byteCount)
    }
}
