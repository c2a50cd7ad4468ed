import Checkpoints
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// What a model is foreseen to take in memory is what its stages take, within ten per cent.
@Suite struct ResidentBytesTests {
    private func check(_ path: String, _ precision: HeadPrecision) throws {
        let model = try ModelFile(path: path)
        let layerCount = model.configuration.layerCount
        for layers in [0..<layerCount - 1, layerCount - 1..<layerCount] {
            let stage = try Stage(
                model: model, layers: layers,
                options: StageOptions(
                    threadCount: 1, instructionSet: .best, contextLength: 16, keyValueTokenCapacity: 256,
                    maximumStepRowCount: 1, ternaryLayout: .twoBits, headPrecision: precision))
            var foreseen = layers.reduce(0) { $0 + model.residentLayerByteCounts[$1] }
            if layers.upperBound == layerCount { foreseen += model.residentHeadByteCount(precision) }
            #expect(
                abs(foreseen - stage.weightsByteCount) * 10 <= stage.weightsByteCount,
                "layers \(layers): \(foreseen) instead of \(stage.weightsByteCount) bytes")
        }
    }

    @Test(arguments: HeadPrecision.allCases)
    func `of a packed ternary model`(precision: HeadPrecision) throws {
        try check(Fixtures.ryzTinyPath, precision)
    }

    @Test(arguments: ["F32", "BF16"], HeadPrecision.allCases)
    func `of a model that is made ternary when it is loaded`(type: String, precision: HeadPrecision) throws {
        var tiny = TinyCheckpoint()
        tiny.weights = .online(type: type)
        let folder = try tiny.write()
        try check(folder.path, precision)
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: TinyLlama.WeightType.allCases)
    func `of a model that stays as its file has it`(type: TinyLlama.WeightType) throws {
        var tiny = TinyLlama()
        tiny.weightType = type
        tiny.embeddingType = type
        try tiny.builder().withFile { path in
            for precision in HeadPrecision.allCases { try check(path, precision) }
        }
    }

    @Test func `a head is in eight bits when that is asked for, or automatic and worth it`() throws {
        let tiny = try ModelFile(path: Fixtures.ryzTinyPath)
        let eightBit = tiny.residentHeadByteCount(.eightBit)
        #expect(tiny.residentHeadByteCount(.stored) == tiny.headByteCount + 2 * 320)
        #expect(tiny.residentHeadByteCount(.automatic) == tiny.residentHeadByteCount(.stored))
        #expect(eightBit == 1024 * (320 + 4) + 320 * 4)
        // In 32 MiB and more, which only the description has here.
        let large = TensorDescription(
            name: "large", type: .bf16, rows: 1 << 15, columns: 512, file: tiny.head.file, byteRange: 0..<32 << 20)
        #expect(HeadPrecision.automatic.reduces(large, ofTernaryModel: true))
        #expect(!HeadPrecision.automatic.reduces(large, ofTernaryModel: false))
        #expect(!HeadPrecision.stored.reduces(large, ofTernaryModel: true))
    }
}
