import Checkpoints
import Foundation
import Inference
import Kernels
import ModelTools
import TestSupport
import Testing
import Tokenization
import Transport

/// Converts the model at `path`, and keeps it for as long as the value lives.
private func converted(
    _ path: String, layout: TernaryLayout = .fiveToAByte, head: HeadPrecision = .automatic
) async throws -> Destination {
    let destination = try Destination()
    let conversion = try ModelConversion(ModelFile(path: path), ternaryLayout: layout, headPrecision: head)
    try await conversion.write(to: destination.path)
    return destination
}

private let someTokens = (0..<40).map { Int32($0 * 7 % 300) }

@Suite struct `A converted model` {
    private func expectSameLogits(_ path: String, _ layout: TernaryLayout, _ head: HeadPrecision) async throws {
        let original = try ModelFile(path: path)
        let destination = try await converted(path, layout: layout, head: head)
        let model = try ModelFile(path: destination.path)
        #expect(model.configuration == original.configuration)
        #expect(model.hasTiedHead == original.hasTiedHead)
        let expected = try logits(of: original, someTokens, head: head)
        #expect(try logits(of: model, someTokens) == expected)
        try await expectStagesAlike(model, expected)
    }

    /// Stages that hold some of the layers each.
    private func expectStagesAlike(_ model: ModelFile, _ expected: SliceScore) async throws {
        let count = model.configuration.layerCount
        let options = try StageOptions(
            threadCount: 1, instructionSet: .selected(), contextLength: min(128, model.configuration.contextLength),
            keyValueTokenCapacity: 128)
        // Each from a copy that has no more than it says it needs.
        let whole = model.configuration.rankParts.whole
        let copies = try [0..<1, 1..<count].map { layers in
            try PartialCopy(model, keeping: model.byteRanges(layers: layers, share: whole))
        }
        var pipeline = try Pipeline([
            Stage(model: copies[0].model, layers: 0..<1, options: options),
            Stage(model: copies[1].model, layers: 1..<count, options: options),
        ])
        #expect(try pipeline.score(someTokens, chunk: 16, topCount: 1) == expected)
    }

    @Test(arguments: TernaryLayout.allCases, [HeadPrecision.eightBit, .stored])
    func `is shared out to ranks without gaps, and only columns lie in the parts of all`(
        layout: TernaryLayout, head: HeadPrecision
    ) async throws {
        let destination = try await converted(Fixtures.ryzTinyPath, layout: layout, head: head)
        let model = try ModelFile(path: destination.path)
        let parts = model.configuration.rankParts
        let half = parts.keyValueHeadCount / 2
        let shares = [
            RankShare(keyValueHeads: 0..<half, feedForwardBlocks: 0..<1, vocabularyChunks: 0..<1),
            RankShare(
                keyValueHeads: half..<parts.keyValueHeadCount, feedForwardBlocks: 1..<parts.feedForwardBlockCount,
                vocabularyChunks: 1..<parts.vocabularyChunkCount),
        ]
        let ranges = shares.map { model.byteRanges(layers: 0..<model.configuration.layerCount, share: $0) }
        let layer = model.layers[1]
        for tensor in [layer.query, layer.key, layer.value, layer.gate, layer.up, model.head] {
            let pieces = ranges.map { ranges in
                ranges.map(\.bytes).first { tensor.byteRange.contains($0.lowerBound) } ?? 0..<0
            }
            #expect(pieces[0].lowerBound == tensor.byteRange.lowerBound, "\(tensor.name)")
            #expect(pieces[0].upperBound == pieces[1].lowerBound, "\(tensor.name)")
            #expect(pieces[1].upperBound == tensor.byteRange.upperBound, "\(tensor.name)")
        }
        for tensor in [layer.attentionOutput, layer.down] {
            #expect(ranges.allSatisfy { $0.contains { $0.bytes == tensor.byteRange } }, "\(tensor.name)")
        }
    }

    @Test(arguments: TernaryLayout.allCases, HeadPrecision.allCases)
    func `gives the bits of the ternary model it was made of`(layout: TernaryLayout, head: HeadPrecision) async throws {
        try await expectSameLogits(Fixtures.ryzTinyPath, layout, head)
    }

    @Test(arguments: TinyLlama.WeightType.allCases)
    func `gives the bits of the GGUF file it was made of`(type: TinyLlama.WeightType) async throws {
        var tiny = TinyLlama()
        tiny.weightType = type
        tiny.hasTiedHead = type != .q4_1
        let file = try tiny.builder().write()
        try await expectSameLogits(file.path, .fiveToAByte, .automatic)
    }

    @Test(arguments: ["bitnet-b", "bitnet-c", "bitnet-g-I2_S.gguf", "bitnet-g-TQ1_0.gguf"])
    func `gives the bits of other forms of ternary models`(name: String) async throws {
        guard Fixtures.has("bitnet/" + name) else { return }
        try await expectSameLogits(Fixtures.path("bitnet/" + name), .twoBits, .automatic)
    }

    @Test func `keeps the vocabulary and the chat template`() async throws {
        let destination = try await converted(Fixtures.ryzTinyPath)
        let (original, model) = try (ModelFile(path: Fixtures.ryzTinyPath), ModelFile(path: destination.path))
        let (expected, tokenizer) = try (Tokenizer(model: original), Tokenizer(model: model))
        let text = "Once upon a time, there was a little girl named Lily."
        #expect(tokenizer.encode(text) == expected.encode(text))
        #expect(tokenizer.endOfGenerationTokens == expected.endOfGenerationTokens)
        let format = try #require(try ConversationFormat(model: model, tokenizer: tokenizer))
        #expect(try format.render(messages: #"[{"role": "user", "content": " x "}]"#, secondsSince1970: 0) == "x")
    }

    @Test func `keeps keys, values and frequency factors of a GGUF file`() async throws {
        var tiny = TinyLlama()
        tiny.ropeFrequencyFactors = (0..<tiny.headDimension / 2).map { 1 + Float($0) / 4 }
        let file = try tiny.builder().write()
        let destination = try await converted(file.path)
        let (original, model) = try (ModelFile(path: file.path), ModelFile(path: destination.path))
        #expect(model.configuration == original.configuration)
        guard case .frequencyFactors = model.configuration.rope.scaling else {
            Issue.record("the rope has no factors")
            return
        }
        guard case .gguf(let before) = original.source, case .gguf(let after) = model.source.origin else {
            Issue.record("one of them is no GGUF file")
            return
        }
        #expect(before.metadata.keys == after.metadata.keys)
        let (expected, tokenizer) = try (Tokenizer(model: original), Tokenizer(model: model))
        #expect(tokenizer.encode("Hello, world") == expected.encode("Hello, world"))
        #expect(tokenizer.endOfGenerationTokens == expected.endOfGenerationTokens)
        #expect(
            before.file.bytes(in: before.metadataByteRange) == after.file.bytes(in: after.metadataByteRange))
    }

    @Test func `may be given by its folder or its tiles, and has a digest of its own`() async throws {
        let (one, other) = try await (
            converted(Fixtures.ryzTinyPath), converted(Fixtures.ryzTinyPath, layout: .twoBits)
        )
        let model = try ModelFile(path: one.path)
        let byTiles = try ModelFile(path: one.path + "/tiles.safetensors")
        #expect(byTiles.headerDigest == model.headerDigest)
        #expect(byTiles.path == model.path)
        #expect(try ModelFile(path: other.path).headerDigest != model.headerDigest)
        #expect(try ModelFile(path: Fixtures.ryzTinyPath).headerDigest != model.headerDigest)
        let again = try await converted(Fixtures.ryzTinyPath)
        #expect(try ModelFile(path: again.path).headerDigest == model.headerDigest)
    }

    @Test func `is inspected by its layouts`() async throws {
        let destination = try await converted(Fixtures.ryzTinyPath)
        let inspection = try ModelInspection(ModelFile(path: destination.path), workerCount: 2)
        #expect(inspection.form == "converted")
        #expect(inspection.types.contains { $0.type == "t5 tiles of U8 (packed ternary)" && $0.tensorCount == 42 })
        let original = try ModelInspection(ModelFile(path: Fixtures.ryzTinyPath), workerCount: 2)
        #expect(inspection.parameterCount == original.parameterCount)
    }

    @Test func `is not converted again`() async throws {
        let destination = try await converted(Fixtures.ryzTinyPath)
        let model = try ModelFile(path: destination.path)
        let error = try #require(throws: ModelToolError.self) {
            try ModelConversion(model, ternaryLayout: .twoBits, headPrecision: .automatic)
        }
        #expect(error.description.contains("it is converted already"))
    }

    @Test func `has the head it was converted with, and says so where another is asked for`() async throws {
        let destination = try await converted(Fixtures.ryzTinyPath, head: .eightBit)
        let model = try ModelFile(path: destination.path)
        let error = try #require(throws: InferenceError.self) { try logits(of: model, someTokens, head: .stored) }
        #expect(error.description.contains("it was converted to r8, so stored is not to be had"))
    }

    @Test func `leaves nothing behind when its making is cancelled`() async throws {
        let destination = try Destination()
        let path = destination.path
        let conversion = try ModelConversion(
            ModelFile(path: Fixtures.ryzTinyPath), ternaryLayout: .fiveToAByte, headPrecision: .automatic)
        let running = TaskHolder()
        let task = Task {
            while !running.isSet { await Task.yield() }
            try await conversion.write(to: path) { _ in running.cancel() }
        }
        running.set(task)
        let result = await task.result
        #expect(throws: ModelToolError.interrupted) { try result.get() }
        #expect(destination.names == [])
    }
}
