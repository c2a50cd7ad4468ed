import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// Ternary models against reference figures: transformers in float32.
///
/// One activation that rounds the other way moves logits by up to 0.3, so what is equal is the best token where it
/// leads clearly, and layers are compared from the reference's own inputs.
struct TernaryReference: Sendable, CustomTestStringConvertible {
    var name: String
    /// The checkpoint; the reference figures are in the folder of `reference`.
    var path: String
    var reference: String
    /// How far the log-probability of the next token may be off, on average.
    var meanLimit: Double
    /// From which margin on the best token must be the same.
    var margin: Double

    var testDescription: String { name }

    static let all: [TernaryReference] =
        [
            TernaryReference(
                name: "ryz-tiny", path: Fixtures.ryzTinyPath, reference: Fixtures.ryzTinyPath, meanLimit: 0.005,
                margin: 0.05)
        ]
        + [
            ("bitnet-a", "bitnet-a"), ("bitnet-b", "bitnet-b"), ("bitnet-c", "bitnet-c"), ("bitnet-g", "bitnet-g"),
            ("bitnet-g-I2_S.gguf", "bitnet-g"), ("bitnet-g-TQ1_0.gguf", "bitnet-g"),
            ("bitnet-g-TQ2_0.gguf", "bitnet-g"),
        ].map { name, reference in
            TernaryReference(
                name: name, path: Fixtures.path("bitnet/" + name), reference: Fixtures.path("bitnet/" + reference),
                meanLimit: 0.03, margin: 0.5)
        }.filter { FileManager.default.fileExists(atPath: $0.path) }
}

@Suite struct BitNetTests {
    private struct Expected: Decodable {
        struct Prompt: Decodable {
            var ids: [Int32]
            var topIDs: [[Int32]]
            var topLogits: [[Double]]
            var nextLogProbabilities: [Double]
            var greedy: [Int32]
            var greedyMargins: [Double]

            private enum CodingKeys: String, CodingKey {
                case ids, greedy
                case topIDs = "top5_ids"
                case topLogits = "top5_logits"
                case nextLogProbabilities = "next_token_logprob"
                case greedyMargins = "greedy_margin"
            }
        }

        struct Sample: Decodable {
            var ids: [Int32]
            var perplexity: Double
        }

        var prompts: [Prompt]
        var sample: Sample?
    }

    private static func expected(_ model: TernaryReference) throws -> Expected {
        let data = try Data(contentsOf: URL(fileURLWithPath: model.reference + "/expected.json"))
        return try JSONDecoder().decode(Expected.self, from: data)
    }

    private static func wholePipeline(_ path: String) throws -> Pipeline {
        let layerCount = try ModelFile(path: path).configuration.layerCount
        return try makePipeline(path, split: [layerCount], context: 512)
    }

    @Test(arguments: TernaryReference.all)
    func `predictions are the reference's`(model: TernaryReference) throws {
        var pipeline = try Self.wholePipeline(model.path)
        var (total, count) = (0.0, 0)
        for prompt in try Self.expected(model).prompts {
            let score = try pipeline.score(prompt.ids, chunk: 512, topCount: 1)
            for (actual, expected) in zip(score.targetLogProbabilities, prompt.nextLogProbabilities) {
                let difference = abs(Double(actual) - expected)
                #expect(difference <= 0.4)
                total += difference
                count += 1
            }
            for (position, logits) in prompt.topLogits.enumerated() where logits[0] - logits[1] > model.margin {
                #expect(score.top[position][0].token == prompt.topIDs[position][0], "position \(position)")
            }
        }
        #expect(count > 0)
        #expect(total / Double(count) <= model.meanLimit)
    }

    @Test func `the trained model writes the reference's stories`() throws {
        let model = try #require(TernaryReference.all.first)
        var pipeline = try Self.wholePipeline(model.path)
        let expected = try Self.expected(model)
        for prompt in expected.prompts {
            let sure = prompt.greedyMargins.firstIndex { $0 < model.margin } ?? prompt.greedy.count
            let text = try pipeline.generate(
                prompt.ids, count: sure, parameters: SamplingParameters(temperature: 0))
            #expect(text == Array(prompt.greedy.prefix(sure)))
        }
        let sample = try #require(expected.sample)
        let score = try pipeline.score(sample.ids, chunk: 512, topCount: 0)
        let mean = score.targetLogProbabilities.reduce(0) { $0 + Double($1) } / Double(sample.ids.count - 1)
        #expect(abs(exp(-mean) / sample.perplexity - 1) < 0.003)
    }

    @Test(arguments: TernaryReference.all)
    func `each layer adds what the reference's adds`(model: TernaryReference) throws {
        let file = try ModelFile(path: model.path)
        let layers = try SafeTensorsFile(path: model.reference + "/layers.safetensors")
        let prompt = try Self.expected(model).prompts[0].ids
        for layer in 0..<file.configuration.layerCount {
            let input = try Self.values("layer.\(layer).input", in: layers)
            let output = try Self.values("layer.\(layer).output", in: layers)
            let stage = try Stage(
                model: file, layers: layer..<layer + 1,
                options: StageOptions(
                    threadCount: 1, instructionSet: .best, contextLength: 256, keyValueTokenCapacity: 256))
            let slice = SequenceSlice(sequence: SequenceID(0), startPosition: 0, tokens: prompt, output: .none)
            let step = Step(id: StepID(0), slices: [slice], released: [])
            if layer == 0 {
                _ = try stage.run(step)
            } else {
                var states = try Tensor(rows: prompt.count, columns: file.configuration.hiddenSize)
                for (index, value) in input.enumerated() {
                    states[index / states.columns, index % states.columns] = value
                }
                _ = try states.withBytes(rows: prompt.count) { (bytes) throws(InferenceError) in
                    try stage.run(step, hiddenStates: bytes)
                }
            }
            let actual = (0..<prompt.count).flatMap { stage.hiddenStates(row: $0) }
            var (error, added) = (0.0, 0.0)
            for ((before, after), value) in zip(zip(input, output), actual) {
                error += pow(Double(value - after), 2)
                added += pow(Double(after - before), 2)
            }
            #expect((error / added).squareRoot() <= 0.001, "layer \(layer)")
        }
    }

    private static func values(_ name: String, in file: SafeTensorsFile) throws -> [Float] {
        let tensor = try #require(file.tensors.first { $0.name == name })
        return stride(from: tensor.byteRange.lowerBound, to: tensor.byteRange.upperBound, by: 4).compactMap {
            file.file.integer(at: $0, as: UInt32.self).map(Float.init(bitPattern:))
        }
    }

    @Test func `every split, layout, thread count, chunk and instruction set gives the same bits`() throws {
        let tokens = randomTokens(60, below: 1024)
        let path = Fixtures.ryzTinyPath
        var whole = try makePipeline(path, split: [6])
        let expected = try whole.score(tokens, chunk: 60, topCount: 2)
        for instructionSet in InstructionSet.allCases where instructionSet <= .best {
            for layout in TernaryLayout.allCases {
                for (split, threads, chunk) in [([1, 5], 2, 7), ([2, 2, 2], 3, 1), ([6], 1, 60)] {
                    var pipeline = try makePipeline(
                        path, split: split, threads: threads, instructionSet: instructionSet, ternaryLayout: layout)
                    #expect(try pipeline.score(tokens, chunk: chunk, topCount: 2) == expected)
                }
            }
        }
    }
}
