import Checkpoints
import Kernels
import TestSupport
import Testing

@testable import Inference

@Suite struct `A model of which only some matrices are ternary` {
    @Test(arguments: ["blk.1.ffn_up.weight", "blk.0.attn_k.weight", "blk.0.ffn_down.weight"])
    func `is refused when it is loaded`(name: String) throws {
        var tiny = TinyLlama()
        (tiny.hiddenSize, tiny.feedForwardSize) = (256, 256)
        var builder = tiny.builder()
        let index = try #require(builder.tensors.firstIndex { $0.name == name })
        let valueCount = builder.tensors[index].dimensions.reduce(1, *)
        // TQ2_0: weights of 0, and the scale 1 in binary16.
        let block = [UInt8](repeating: 0x55, count: 64) + [0, 0x3C]
        builder.tensors[index].typeID = 35
        builder.tensors[index].data = Array([[UInt8]](repeating: block, count: Int(valueCount) / 256).joined())
        try builder.withFile { path in
            let error = try #require(throws: InferenceError.self) { try makePipeline(path, split: [2]) }
            #expect(error.description.contains("weights in a model of which others are ternary"))
        }
    }
}
