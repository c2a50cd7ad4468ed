import Checkpoints
import Foundation
import ModelTools
import OperatorTools
import TestSupport
import Testing

@Suite struct `An inspection` {
    private func ryzTiny(workers: Int) throws -> ModelInspection {
        try ModelInspection(ModelFile(path: Fixtures.ryzTinyPath), workerCount: workers)
    }

    @Test func `tells the shape of a model`() throws {
        let inspection = try ryzTiny(workers: 1)
        #expect(inspection.form == "folder")
        #expect(inspection.shape.activation == "relu2")
        #expect(inspection.shape.hasSubNorms && inspection.shape.hasTiedHead)
        #expect(inspection.shape.rope.base == 10_000)
        let layer = 320 * 320 * 2 + 2 * 160 * 320 + 3 * 640 * 320 + 3 * 320 + 640
        #expect(inspection.parameterCount == 6 * layer + 1024 * 320 + 320)
        #expect(inspection.digest.count == 64)
    }

    @Test func `sums tensors by type`() throws {
        let types = try ryzTiny(workers: 1).types
        #expect(types.map(\.type) == ["U8 (packed ternary)", "BF16"])
        #expect(types.map(\.tensorCount) == [42, 26])
        #expect(types[0].bitsPerWeight == 2)
        #expect(types[1].bitsPerWeight == 16)
    }

    @Test func `divides the layers as the coordinator does, and loses no byte`() throws {
        let model = try ModelFile(path: Fixtures.ryzTinyPath)
        let parts = try ryzTiny(workers: 4).workers
        #expect(parts.count == 4)
        #expect(parts.map(\.layerCount).reduce(0, +) == 6)
        #expect(parts.map(\.weightsByteCount).reduce(0, +) == model.layerByteCounts.reduce(0, +) + model.headByteCount)
        #expect(parts.map(\.embeddingByteCount) == [model.embeddingByteCount, 0, 0, 0])
        // Keys and values of 160 float32 each, for every layer.
        #expect(parts[0].keyValueByteCountPerThousandTokens == 1000 * 2 * 160 * 4 * parts[0].layerCount)
    }

    @Test func `refuses more workers than layers`() throws {
        let error = try #require(throws: ModelToolError.self) { try ryzTiny(workers: 7) }
        #expect(error.description == "6 layers cannot be split over 7 stages; use 1 to 6")
    }

    @Test func `is shown as tables, and as JSON with the same figures`() throws {
        let inspection = try ryzTiny(workers: 2)
        let text = inspection.text(width: 120, isColoured: false)
        #expect(text.contains("10 heads of 32, 5 for keys and values"))
        #expect(text.contains("U8 (packed ternary)       42"))
        #expect(text.contains("KV PER 1,000 TOKENS"))
        let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(inspection)) as? [String: Any]
        #expect(object?["parameters"] as? Int == inspection.parameterCount)
        #expect((object?["workers"] as? [[String: Any]])?.count == 2)
        #expect((object?["shape"] as? [String: Any])?["key_value_heads"] as? Int == 5)
    }
}
