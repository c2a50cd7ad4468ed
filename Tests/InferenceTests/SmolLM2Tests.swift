import Foundation
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

/// A real model against reference figures: transformers on the dequantised weights, in float32.
@Suite(.enabled(if: Fixtures.hasSmolLM2, "SmolLM2 has not been fetched: scripts/fetch-model smollm2"))
struct SmolLM2Tests {
    private struct Reference: Decodable {
        struct Text: Decodable {
            var name: String
            var ids: [Int32]
            var perplexity: Double
            var topIDs: [[Int32]]
            var topLogProbabilities: [[Double]]

            private enum CodingKeys: String, CodingKey {
                case name, ids, perplexity
                case topIDs = "top_ids"
                case topLogProbabilities = "top_logprobs"
            }
        }

        var texts: [Text]
    }

    @Test(.enabled(if: Fixtures.has("smollm2/reference.json"), "the fixture smollm2/reference.json is not there"))
    func `predictions are as close to the reference as int8 activations allow`() throws {
        let reference = try JSONDecoder().decode(Reference.self, from: Fixtures.data("smollm2/reference.json"))
        var pipeline = try makePipeline(Fixtures.smolLM2Path, split: [30], threads: 2, context: 512)
        var (divergence, agreeing, positions) = (0.0, 0, 0)
        for text in reference.texts {
            let score = try pipeline.score(text.ids, chunk: 512, topCount: 64)
            let mean = score.targetLogProbabilities.reduce(0) { $0 + Double($1) } / Double(text.ids.count - 1)
            #expect(abs(exp(-mean) / text.perplexity - 1) < 0.015, "the perplexity of \(text.name)")
            for ((ids, expected), actual) in zip(zip(text.topIDs, text.topLogProbabilities), score.top) {
                positions += 1
                agreeing += ids[0] == actual[0].token ? 1 : 0
                divergence += Self.divergence(of: actual, from: zip(ids, expected))
            }
        }
        #expect(positions == 1308)
        #expect(divergence / Double(positions) <= 0.003)
        #expect(Double(agreeing) / Double(positions) >= 0.95)
    }

    /// Kullback–Leibler divergence over the reference's best tokens, with all others as one.
    private static func divergence(
        of actual: [TokenLogProbability], from reference: Zip2Sequence<[Int32], [Double]>
    ) -> Double {
        let found = Dictionary(uniqueKeysWithValues: actual.map { ($0.token, Double($0.logProbability)) })
        let least = Double(actual.last?.logProbability ?? 0)
        var (sum, rest, actualRest) = (0.0, 1.0, 1.0)
        for (token, logProbability) in reference {
            let other = found[token] ?? least
            sum += exp(logProbability) * (logProbability - other)
            rest -= exp(logProbability)
            actualRest -= exp(other)
        }
        (rest, actualRest) = (max(rest, 1e-9), max(actualRest, 1e-9))
        return sum + rest * log(rest / actualRest)
    }

    @Test func `every split, chunk and instruction set gives the same logits`() throws {
        let tokens = randomTokens(40, below: 49_000)
        var whole = try makePipeline(Fixtures.smolLM2Path, split: [30])
        let expected = try whole.score(tokens, chunk: 40, topCount: 1)
        for instructionSet in InstructionSet.allCases where instructionSet <= .best {
            for (split, threads, chunk) in [([7, 23], 2, 7), ([Int](repeating: 1, count: 30), 1, 1)] {
                var pipeline = try makePipeline(
                    Fixtures.smolLM2Path, split: split, threads: threads, instructionSet: instructionSet)
                #expect(try pipeline.score(tokens, chunk: chunk, topCount: 1) == expected)
            }
        }
    }
}
