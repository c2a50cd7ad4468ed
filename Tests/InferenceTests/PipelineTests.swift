import Checkpoints
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// Stages of a model in this process: one for each count of layers in `split`.
func makePipeline(
    _ path: String, split: [Int], threads: Int = 1, instructionSet: InstructionSet = .best, context: Int = 256,
    keyValueTokens: Int = 1024, ternaryLayout: TernaryLayout? = nil, grid: ActivationGrid = .exact
) throws -> Pipeline {
    let model = try ModelFile(path: path)
    var options = StageOptions(
        threadCount: threads, instructionSet: instructionSet, contextLength: context,
        keyValueTokenCapacity: keyValueTokens, ternaryLayout: ternaryLayout)
    options.activationGrid = grid
    var first = 0
    let stages = try split.map { count in
        defer { first += count }
        return try Stage(model: model, layers: first..<first + count, options: options)
    }
    return try Pipeline(stages)
}

func randomTokens(_ count: Int, below limit: Int32, seed: UInt64 = 3) -> [Int32] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in Int32.random(in: 0..<limit, using: &random) }
}

@Suite struct PipelineTests {
    @Test(arguments: TinyLlama.WeightType.allCases)
    func `logits are the same bits for every split, thread count, chunk and instruction set`(
        type: TinyLlama.WeightType
    ) throws {
        var tiny = TinyLlama()
        tiny.layerCount = 3
        tiny.weightType = type
        try tiny.builder().withFile { path in
            let tokens = randomTokens(60, below: 288)
            var whole = try makePipeline(path, split: [3])
            let expected = try whole.score(tokens, chunk: 60, topCount: 3)
            #expect(expected.targetLogProbabilities.allSatisfy { $0.isFinite && $0 < 0 })
            for instructionSet in InstructionSet.allCases where instructionSet <= .best {
                for (split, threads, chunk) in [([1, 2], 2, 7), ([1, 1, 1], 1, 1), ([3], 3, 60)] {
                    var pipeline = try makePipeline(
                        path, split: split, threads: threads, instructionSet: instructionSet)
                    #expect(try pipeline.score(tokens, chunk: chunk, topCount: 3) == expected)
                }
            }
        }
    }

    @Test func `a batch of sequences gives each what it gets alone`() throws {
        try TinyLlama().builder().withFile { path in
            let prompts = (0..<4).map { randomTokens(5 + 9 * $0, below: 256, seed: UInt64($0)) }
            let parameters = SamplingParameters(temperature: 0.8, topP: 0.9, seed: 11)
            let alone = try prompts.map { prompt in
                var pipeline = try makePipeline(path, split: [2])
                return try pipeline.generate(prompt, count: 8, parameters: parameters)
            }
            var pipeline = try makePipeline(path, split: [1, 1])
            var pending = prompts
            var outputs = [[Int32]](repeating: [], count: 4)
            var positions = [Int](repeating: 0, count: 4)
            for _ in 0..<8 {
                let slices = (0..<4).map { index in
                    SequenceSlice(
                        sequence: SequenceID(UInt64(index)), startPosition: positions[index], tokens: pending[index],
                        output: .sample(parameters, promptLength: prompts[index].count))
                }
                for (index, result) in try pipeline.run(slices).enumerated() {
                    guard case .sampled(let choice) = result.output else { continue }
                    positions[index] += pending[index].count
                    pending[index] = [choice.token]
                    outputs[index].append(choice.token)
                }
            }
            #expect(outputs == alone)
        }
    }

    @Test func `released sequences give their cache back`() throws {
        try TinyLlama().builder().withFile { path in
            var pipeline = try makePipeline(path, split: [2], keyValueTokens: 512)
            for round in 0..<6 {
                let tokens = randomTokens(200, below: 288)
                _ = try pipeline.score(tokens, chunk: 64, topCount: 0, sequence: SequenceID(UInt64(round)))
                #expect(pipeline.stages[0].keyValueTokenCount == 0)
            }
        }
    }

    @Test func `a step that does not fit changes nothing`() throws {
        try TinyLlama().builder().withFile { path in
            var pipeline = try makePipeline(path, split: [2], keyValueTokens: 256)
            let first = SequenceSlice(sequence: SequenceID(1), startPosition: 0, tokens: [1, 2], output: .none)
            _ = try pipeline.run([first])
            let gap = SequenceSlice(sequence: SequenceID(1), startPosition: 3, tokens: [1], output: .none)
            #expect(throws: InferenceError.self) { try pipeline.run([gap]) }
            let full = SequenceSlice(sequence: SequenceID(2), startPosition: 0, tokens: [1], output: .none)
            #expect(throws: InferenceError.self) { try pipeline.run([full]) }
            let foreign = SequenceSlice(sequence: SequenceID(1), startPosition: 2, tokens: [288], output: .none)
            #expect(throws: InferenceError.self) { try pipeline.run([foreign]) }
            let long = SequenceSlice(
                sequence: SequenceID(1), startPosition: 2, tokens: [Int32](repeating: 1, count: 255), output: .none)
            #expect(throws: InferenceError.self) { try pipeline.run([long]) }
            #expect(pipeline.stages[0].keyValueTokenCount == 2)
            let next = SequenceSlice(sequence: SequenceID(1), startPosition: 2, tokens: [7], output: .none)
            _ = try pipeline.run([next])
        }
    }

    @Test func `layers outside the model are refused`() throws {
        try TinyLlama().builder().withFile { path in
            #expect(throws: InferenceError.self) { try makePipeline(path, split: [3]) }
            #expect(throws: InferenceError.self) { try makePipeline(path, split: [1]) }
        }
    }
}
