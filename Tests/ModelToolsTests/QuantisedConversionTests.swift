import Checkpoints
import Inference
import Kernels
import ModelTools
import OperatorTools
import TestSupport
import Testing
import Transport

/// A tiny model whose layers were quantised, and what that has cost. Kept for as long as the value lives.
struct QuantisedTiny {
    let destination: Destination
    let loss: ConversionLoss

    var path: String { destination.path }

    init(
        _ type: TinyLlama.WeightType = .f16, bits: Int, group: Int = 64, head: HeadPrecision = .automatic,
        shape: (inout TinyLlama) -> Void = { _ in }, change: (inout GGUFBuilder) -> Void = { _ in }
    ) async throws {
        var tiny = TinyLlama()
        tiny.weightType = type
        shape(&tiny)
        var builder = tiny.builder()
        change(&builder)
        let file = try builder.write()
        let destination = try Destination()
        let planes = try #require(BitPlanes(bits: bits, groupColumns: group))
        loss = try await ModelConversion(
            ModelFile(path: file.path), ternaryLayout: .fiveToAByte, headPrecision: head, quantising: planes
        ).write(to: destination.path)
        self.destination = destination
    }
}

private let tokens = (0..<40).map { Int32($0 * 7 % 280) }

private func score(
    _ path: String, split: [Int] = [2], threads: Int = 1, chunk: Int = 40, instructionSet: InstructionSet = .best,
    kernel: MatrixKernel? = nil
) throws -> SliceScore {
    let model = try ModelFile(path: path)
    var first = 0
    let stages = try split.map { count in
        defer { first += count }
        return try Stage(
            model: model, layers: first..<first + count,
            options: StageOptions(
                threadCount: threads, instructionSet: instructionSet, contextLength: 128, keyValueTokenCapacity: 256,
                kernel: kernel))
    }
    var pipeline = try Pipeline(stages)
    return try pipeline.score(tokens, chunk: chunk, topCount: 2)
}

@Suite struct `A model quantised by its conversion` {
    @Test(arguments: 1...4, [32, 64])
    func `gives the same bits for every kernel, split, thread count, chunk and instruction set`(
        bits: Int, group: Int
    ) async throws {
        let tiny = try await QuantisedTiny(bits: bits, group: group)
        let expected = try score(tiny.path, instructionSet: .portable, kernel: .multiplyAdd)
        #expect(expected.targetLogProbabilities.allSatisfy { $0.isFinite && $0 < 0 })
        for instructionSet in InstructionSet.allCases where instructionSet <= .best {
            for kernel in [.lookUp, .multiplyAdd, nil] as [MatrixKernel?] {
                for (split, threads, chunk) in [([2], 3, 1), ([1, 1], 2, 7), ([1, 1], 1, 1), ([2], 1, 40)] {
                    let other = try score(
                        tiny.path, split: split, threads: threads, chunk: chunk, instructionSet: instructionSet,
                        kernel: kernel)
                    #expect(other == expected, "\(instructionSet), \(kernel as Any), \(split), chunks of \(chunk)")
                }
            }
        }
    }

    @Test(arguments: TinyLlama.WeightType.allCases)
    func `may have been one of any type that is not ternary`(type: TinyLlama.WeightType) async throws {
        let tiny = try await QuantisedTiny(type, bits: 3)
        #expect(tiny.loss.kinds.count == 7)
        #expect(tiny.loss.relative > 0 && tiny.loss.relative < 0.3)
        #expect(try score(tiny.path).targetLogProbabilities.allSatisfy(\.isFinite))
    }

    @Test func `gives the bits of a Q4_1 model, where four bits in groups of 32 hold its weights`() async throws {
        // The lowest and the highest code in every block: then scale and minimum are found again.
        func spread(_ builder: inout GGUFBuilder) {
            for index in builder.tensors.indices where builder.tensors[index].typeID == 3 {
                for block in stride(from: 0, to: builder.tensors[index].data.count, by: 20) {
                    builder.tensors[index].data[block + 4] = 0xF0
                }
            }
        }
        let tiny = try await QuantisedTiny(.q4_1, bits: 4, group: 32, change: spread)
        #expect(tiny.loss.relative == 0)
        var builder = TinyLlama().builder()
        spread(&builder)
        let file = try builder.write()
        #expect(try score(tiny.path) == score(file.path))
    }

    @Test func `loses less with more bits, and says how much of which matrices`() async throws {
        var losses: [Double] = []
        for bits in 1...4 { losses.append(try await QuantisedTiny(bits: bits).loss.relative) }
        #expect(losses == losses.sorted(by: >))
        #expect(losses[0] < 0.7 && losses[3] < 0.1)
        let loss = try await QuantisedTiny(bits: 2).loss
        #expect(
            loss.kinds.map(\.name) == ["query", "key", "value", "attention output", "gate", "up", "down"])
        let text = loss.text(width: 120, isColoured: false)
        #expect(text.contains("attention output    8,192     32  3.00"))
        #expect(text.contains("gate               12,288     64  2.50"))
        #expect(text.hasSuffix(" %"))
    }

    @Test func `has groups that no segment's border crosses`() async throws {
        let tiny = try await QuantisedTiny(bits: 2, group: 96)
        let layer = try ModelFile(path: tiny.path).layers[0]
        #expect(layer.query.tiles == TileStorage(layout: .b2, segmentColumns: nil, groupColumns: 96))
        // The queries of a KV head are 2 × 16 columns, and segments of the feed-forward network 256.
        #expect(layer.attentionOutput.tiles == TileStorage(layout: .b2, segmentColumns: 32, groupColumns: 32))
        #expect(layer.down.tiles == TileStorage(layout: .b2, segmentColumns: 256, groupColumns: 32))
    }

    @Test func `keeps the head that was asked for, and is inspected with its bits`() async throws {
        let tiny = try await QuantisedTiny(bits: 2, head: .eightBit)
        let inspection = try ModelInspection(ModelFile(path: tiny.path), workerCount: 2)
        #expect(inspection.form == "converted")
        let planes = try #require(inspection.types.first { $0.type == "b2 tiles of F16, groups of 64" })
        // Feed-forward down has a group of 64 and one of 32 columns to a row.
        #expect(planes.tensorCount == 12 && abs(planes.bitsPerWeight - 2.5) < 0.05)
        let outputs = try #require(inspection.types.first { $0.type == "b2 tiles of F16, groups of 32" })
        #expect(outputs.tensorCount == 2 && outputs.bitsPerWeight == 3)
        let file = try TinyLlama().builder().write()
        #expect(
            try inspection.parameterCount == ModelInspection(ModelFile(path: file.path), workerCount: 1).parameterCount)
    }

    @Test func `takes as much memory as was foreseen`() async throws {
        let tiny = try await QuantisedTiny(bits: 3)
        let model = try ModelFile(path: tiny.path)
        let stage = try Stage(
            model: model, layers: 0..<1,
            options: StageOptions(
                threadCount: 1, instructionSet: .best, contextLength: 16, keyValueTokenCapacity: 256))
        #expect(stage.weightsByteCount == model.residentLayerByteCounts[0])
    }

    @Test func `is refused where the original is ternary, or converted already`() async throws {
        let planes = try #require(BitPlanes(bits: 2, groupColumns: 64))
        func refusal(_ path: String) -> ModelToolError? {
            #expect(throws: ModelToolError.self) {
                _ = try ModelConversion(
                    ModelFile(path: path), ternaryLayout: .twoBits, headPrecision: .automatic, quantising: planes)
            }
        }
        #expect(refusal(Fixtures.ryzTinyPath)?.description.contains("its layers are ternary") == true)
        let tiny = try await QuantisedTiny(bits: 2)
        #expect(refusal(tiny.path)?.description.contains("it is converted already") == true)
    }
}
