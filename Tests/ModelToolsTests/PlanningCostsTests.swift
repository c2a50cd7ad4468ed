import Checkpoints
import ClusterCore
import Inference
import ModelTools
import OperatorTools
import TestSupport
import Testing
import Transport

struct PlanningCostsTests {
    @Test func `the costs of a model file add up to what its weights take in memory`() throws {
        let model = try ModelFile(path: Fixtures.ryzTinyPath)
        let costs = ModelCosts(model)
        let resident = model.residentLayerByteCounts.reduce(0, +) + model.residentHeadByteCount(.automatic)
        #expect(abs(costs.weightsByteCount(ternaryBitsPerWeight: 2) - Double(resident)) < 1)
        #expect(costs.layerCount == 6)
        // Keys and values in float32; sums of ternary products in int32; inner norms.
        #expect(costs.keyValueByteCount == 2 * 4 * 160 / Double(costs.parts.keyValueHeadCount))
        #expect(costs.synchronisation == SynchronisationCosts(bytesPerValue: 4, scalarCount: 2))
        #expect(ModelCosts(model, grid: .segment).synchronisation.scalarCount == 0)
    }

    @Test(arguments: [("bitnet-2b-4t", 5, 27, 2), ("falcon3-7b", 4, 90, 2), ("llama3-8b", 8, 56, 2)])
    func `a known shape has the costs of its dimensions`(name: String, heads: Int, blocks: Int, scalars: Int) throws {
        let shape = try #require(ModelShape.known.first { $0.name == name })
        let costs = ModelCosts(shape)
        #expect(costs.parts.keyValueHeadCount == heads)
        #expect(costs.parts.feedForwardBlockCount == blocks)
        #expect(costs.synchronisation.scalarCount == scalars)
        let projections = 2 * shape.hiddenSize * (shape.headCount + shape.keyValueHeadCount) * shape.headDimension
        let layer =
            costs.layers[0].keyValueHead.ternaryCount * Double(heads)
            + costs.layers[0].feedForwardBlock.ternaryCount * Double(blocks)
        #expect(abs(layer - Double(projections + 3 * shape.hiddenSize * shape.feedForwardSize)) < 1)
    }

    @Test func `a plan is shown as a table with the reasons, and as JSON with the same figures`() throws {
        let rates = KernelRates(bytesPerSecond: 40e9, multiplyAddsPerSecond: 300e9)
        let nodes = ["big", "small"].map {
            NodeMeasurement(
                name: $0, memoryTotalByteCount: 8 << 30, memoryFreeByteCount: 8 << 30, ternary: rates, other: rates)
        }
        let shape = try #require(ModelShape.known.first { $0.name == "bitnet-2b-4t" })
        let request = PlanRequest(contextLength: 4096)
        let measurements = ClusterMeasurements(nodes: nodes)
        let plan = try Planner.plan(measurements, ModelCosts(shape), request)
        let report = PlanReport(plan, request: request, costs: ModelCosts(shape), nodeCount: 2)
        let text = report.text(width: 120, pictureWidth: 80, isColoured: false)
        #expect(text.contains("bitnet-2b-4t, 30 layers"))
        #expect(text.contains("KV HEADS") && text.contains("big"))
        #expect(text.contains("layers 0–29\n┌"))
        #expect(text.contains("Alternatives"))
    }
}
