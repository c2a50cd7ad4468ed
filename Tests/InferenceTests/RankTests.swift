import Checkpoints
import Collectives
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// Stages whose heads and columns are shared by ranks give the bits of one node.
@Suite struct RankTests {
    private static let placements = [[2], [3], [2, 1, 3], [1, 2]]

    @Test(arguments: placements, TernaryLayout.allCases)
    func `ranks of a ternary model with five KV heads give the bits of one node`(
        placement: [Int], layout: TernaryLayout
    ) throws {
        let tokens = randomTokens(40, below: 1024)
        var whole = try makePipeline(Fixtures.ryzTinyPath, split: [6])
        let expected = try whole.score(tokens, chunk: 40, topCount: 2)
        let ranked = try RankedPipeline(
            Fixtures.ryzTinyPath, placement: placement, instructionSets: Self.instructionSets, ternaryLayout: layout)
        #expect(try ranked.score(tokens, chunk: 40, topCount: 2) == expected)
        #expect(try ranked.score(tokens, chunk: 7, topCount: 2) == expected)
    }

    @Test(arguments: TernaryLayout.allCases)
    func `a grid for each segment gives its own bits, the same on any number of ranks`(layout: TernaryLayout) throws {
        let tokens = randomTokens(40, below: 1024)
        var exact = try makePipeline(Fixtures.ryzTinyPath, split: [6])
        var whole = try makePipeline(Fixtures.ryzTinyPath, split: [6], ternaryLayout: .twoBits, grid: .segment)
        let expected = try whole.score(tokens, chunk: 40, topCount: 2)
        let reference = try exact.score(tokens, chunk: 40, topCount: 2)
        #expect(expected.logitsDigest != reference.logitsDigest)
        for instructionSet in InstructionSet.allCases where instructionSet <= .best {
            var pipeline = try makePipeline(
                Fixtures.ryzTinyPath, split: [2, 4], threads: 2, instructionSet: instructionSet, ternaryLayout: layout,
                grid: .segment)
            #expect(try pipeline.score(tokens, chunk: 9, topCount: 2) == expected)
        }
        for (placement, chunk) in [([2], 40), ([3], 1), ([2, 1, 3], 7)] {
            let ranked = try RankedPipeline(
                Fixtures.ryzTinyPath, placement: placement, instructionSets: Self.instructionSets,
                ternaryLayout: layout, grid: .segment)
            #expect(try ranked.score(tokens, chunk: chunk, topCount: 2) == expected, "\(placement)")
        }
    }

    @Test func `a grid for each segment is close to the reference's`() throws {
        let tokens = randomTokens(60, below: 1024)
        var exact = try makePipeline(Fixtures.ryzTinyPath, split: [6])
        var segment = try makePipeline(Fixtures.ryzTinyPath, split: [6], grid: .segment)
        let reference = try exact.score(tokens, chunk: 60, topCount: 0).targetLogProbabilities
        let score = try segment.score(tokens, chunk: 60, topCount: 0).targetLogProbabilities
        let differences = zip(reference, score).map { abs($0 - $1) }
        #expect(differences.reduce(0, +) / Float(differences.count) < 0.2)
    }

    @Test func `inner norms with weights that are not ternary are refused`() throws {
        var tiny = TinyCheckpoint()
        tiny.weights = .plain(type: "F16")
        let folder = try tiny.write()
        let error = try #require(throws: InferenceError.self) { try makePipeline(folder.path, split: [2]) }
        #expect(error.description.contains("inner norms with weights that are not ternary"))
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: [true, false])
    func `five KV heads make up to five ranks, with and without inner norms`(hasInnerNorms: Bool) throws {
        var tiny = TinyCheckpoint()
        tiny.architecture = hasInnerNorms ? "BitNetForCausalLM" : "LlamaForCausalLM"
        (tiny.hiddenSize, tiny.attentionHeadCount, tiny.keyValueHeadCount) = (320, 10, 5)
        tiny.feedForwardSize = 1344
        let folder = try tiny.write()
        let tokens = randomTokens(30, below: 96)
        var whole = try makePipeline(folder.path, split: [2])
        let expected = try whole.score(tokens, chunk: 30, topCount: 2)
        for placement in [[2], [3], [4], [5], [5, 2]] {
            let ranked = try RankedPipeline(
                folder.path, placement: placement, instructionSets: Self.instructionSets)
            #expect(try ranked.score(tokens, chunk: 11, topCount: 2) == expected, "\(placement)")
        }
        var segments = try makePipeline(folder.path, split: [2], grid: .segment)
        let ranked = try RankedPipeline(folder.path, placement: [5, 2], grid: .segment)
        #expect(
            try ranked.score(tokens, chunk: 11, topCount: 2) == segments.score(tokens, chunk: 30, topCount: 2))
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: TinyLlama.WeightType.allCases)
    func `ranks of a model of any weight type give the bits of one node`(type: TinyLlama.WeightType) throws {
        try Self.tiny(type).builder().withFile { path in
            let tokens = randomTokens(50, below: 1100)
            var whole = try makePipeline(path, split: [3])
            let expected = try whole.score(tokens, chunk: 50, topCount: 3)
            for (placement, threads, chunk) in [([2], 1, 50), ([3], 2, 1), ([1, 3, 2], 1, 9)] {
                let ranked = try RankedPipeline(
                    path, placement: placement, threads: threads, instructionSets: Self.instructionSets)
                #expect(try ranked.score(tokens, chunk: chunk, topCount: 3) == expected)
            }
        }
    }

    @Test func `unequal shares and small messages change nothing`() throws {
        let tokens = randomTokens(48, below: 1024)
        var whole = try makePipeline(Fixtures.ryzTinyPath, split: [6])
        let expected = try whole.score(tokens, chunk: 48, topCount: 0)
        // One row of the stream and a norm's segments at a time, so that steps go in many rounds, and the larger ones by
        // reduce-scatter.
        for slotByteCount in [4 * (320 + 5), 1 << 18] {
            let ranked = try RankedPipeline(
                Fixtures.ryzTinyPath, placement: [3], slotByteCount: slotByteCount,
                shares: { _, _ in
                    [(0..<1, 0..<1, 0..<0), (1..<4, 1..<2, 0..<2), (4..<5, 2..<3, 2..<2)].map {
                        RankShare(keyValueHeads: $0.0, feedForwardBlocks: $0.1, vocabularyChunks: $0.2)
                    }
                })
            #expect(try ranked.score(tokens, chunk: 48, topCount: 0) == expected)
        }
    }

    @Test func `sampled text is the same on any number of ranks`() throws {
        let prompt = randomTokens(12, below: 1024)
        let parameters = SamplingParameters(temperature: 0.9, topP: 0.95, seed: 5)
        var whole = try makePipeline(Fixtures.ryzTinyPath, split: [6])
        let expected = try whole.generate(prompt, count: 12, parameters: parameters)
        let ranked = try RankedPipeline(Fixtures.ryzTinyPath, placement: [2, 3])
        var (text, pending, position) = ([Int32](), prompt, 0)
        for _ in 0..<12 {
            let slice = SequenceSlice(
                sequence: SequenceID(0), startPosition: position, tokens: pending,
                output: .sample(parameters, promptLength: prompt.count))
            position += pending.count
            guard case .sampled(let choice)? = try ranked.run([slice]).first?.output else { continue }
            pending = [choice.token]
            text.append(choice.token)
        }
        #expect(text == expected)
    }

    @Test func `shares that do not make up the model are refused`() throws {
        #expect(throws: InferenceError.self) { try RankedPipeline(Fixtures.ryzTinyPath, placement: [6]) }
        #expect(throws: InferenceError.self) {
            try RankedPipeline(
                Fixtures.ryzTinyPath, placement: [2],
                shares: { _, parts in Array(repeating: parts.whole, count: 2) })
        }
    }

    /// Ranks side by side take turns with what the machine has.
    private static let instructionSets = InstructionSet.allCases.filter { $0 <= .best }.reversed() as [InstructionSet]

    private static func tiny(_ type: TinyLlama.WeightType) -> TinyLlama {
        var tiny = TinyLlama()
        tiny.layerCount = 3
        tiny.weightType = type
        tiny.attentionHeadCount = 6
        tiny.keyValueHeadCount = 3
        tiny.feedForwardSize = 800
        tiny.vocabularySize = 1100
        return tiny
    }
}
