import Checkpoints
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// A rank needs no other bytes of the model's files than it says.
@Suite struct SliceTests {
    private func check(_ path: String, vocabularySize: Int32, _ placements: [[Int]]) throws {
        let tokens = randomTokens(30, below: vocabularySize)
        let expected = try RankedPipeline(path, placement: [1]).score(tokens, chunk: 30, topCount: 2)
        for placement in placements {
            var copies: [PartialCopy] = []
            let pipeline = try RankedPipeline(
                path, placement: placement,
                modelOfRank: { model, layers, share in
                    let copy = try PartialCopy(model, keeping: model.byteRanges(layers: layers, share: share))
                    copies.append(copy)
                    return copy.model
                })
            #expect(try pipeline.score(tokens, chunk: 30, topCount: 2) == expected, "\(placement)")
            guard placement.count > 1 else { continue }
            let wholeByteCount = try copies.count * ModelFile(path: path).parts.reduce(0) { $0 + $1.file.byteCount }
            #expect(copies.reduce(0) { $0 + $1.keptByteCount } < wholeByteCount, "\(placement)")
        }
    }

    @Test(arguments: TinyLlama.WeightType.allCases, [true, false])
    func `of a GGUF file of any type`(type: TinyLlama.WeightType, hasTiedHead: Bool) throws {
        var tiny = TinyLlama()
        tiny.layerCount = 3
        tiny.feedForwardSize = 512
        tiny.vocabularySize = 1100
        tiny.weightType = type
        tiny.hasTiedHead = hasTiedHead
        try tiny.builder().withFile {
            try check($0, vocabularySize: 256, [[1, 1], [1, 1, 1], [2, 1], [1, 2], [2]])
        }
    }

    @Test func `of a ternary folder`() throws {
        try check(Fixtures.ryzTinyPath, vocabularySize: 1024, [[1, 1], [3], [2, 1, 2]])
    }

    @Test(arguments: [
        TinyCheckpoint.Weights.packed, .packedDividing, .online(type: "BF16"), .plain(type: "F16"),
    ])
    func `of folders of every form`(weights: TinyCheckpoint.Weights) throws {
        var tiny = TinyCheckpoint()
        tiny.weights = weights
        if case .plain = weights { tiny.architecture = "LlamaForCausalLM" }
        tiny.layerCount = 3
        tiny.feedForwardSize = 512
        tiny.vocabularySize = 1100
        let folder = try tiny.write()
        try check(folder.path, vocabularySize: 96, [[1, 1, 1], [2, 1], [2]])
        withExtendedLifetime(folder) {}
    }
}
