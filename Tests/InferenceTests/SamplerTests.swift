import Foundation
import Kernels
import TestSupport
import Testing
import Transport

@testable import Inference

@Suite struct SamplerTests {
    private let vocabulary = 40

    private func choose(
        _ logits: [Float], _ parameters: SamplingParameters, tokens: [Int32] = [0], promptLength: Int = 1
    ) throws -> TokenChoice {
        var sampler = try Sampler(vocabularySize: vocabulary)
        var tensor = try Tensor(rows: 1, columns: 48)
        for (index, logit) in logits.enumerated() { tensor[0, index] = logit }
        let compute = try Compute(threadCount: 1, instructionSet: .best)
        let slice = SequenceSlice(
            sequence: SequenceID(1), startPosition: 0, tokens: tokens,
            output: .sample(parameters, promptLength: promptLength))
        sampler.record(slice, promptLength: promptLength)
        return try sampler.choose(
            &tensor, row: 0, slice: slice, parameters: parameters, promptLength: promptLength, compute: compute)
    }

    /// Logits that fall with the token id, from id 3 on; ids 0 to 2 are the least likely.
    private var slope: [Float] { (0..<40).map { $0 < 3 ? -20 : -Float($0) * 0.1 } }

    private func frequencies(_ parameters: SamplingParameters, draws: Int = 3000) throws -> [Int32: Int] {
        var counts: [Int32: Int] = [:]
        for seed in 0..<UInt64(draws) {
            var seeded = parameters
            seeded.seed = seed
            counts[try choose(slope, seeded).token, default: 0] += 1
        }
        return counts
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `logits that are not finite are an error that names the token`(bad: Float) throws {
        for parameters in [SamplingParameters(temperature: 0), SamplingParameters(temperature: 1)] {
            var logits = slope
            logits[33] = bad
            let error = #expect(throws: InferenceError.self) { try choose(logits, parameters) }
            guard case .notFinite(let message)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(message.contains("token 33"))
            #expect(error?.isRetryable == false)
        }
    }

    @Test func `penalties and biases of any size leave a choice`() throws {
        let huge = Float.greatestFiniteMagnitude
        for temperature in [Float(0), 1] {
            var parameters = SamplingParameters(temperature: temperature, topLogProbabilityCount: 2)
            parameters.logitBias = [LogitBias(token: 7, bias: huge)]
            #expect(try choose(slope, parameters).token == 7)
            // Penalties that reward and punish the tokens 5 and 6 beyond float32, all at once.
            parameters.logitBias = [LogitBias(token: 5, bias: -huge), LogitBias(token: 6, bias: -huge)]
            parameters.repetitionPenalty = .leastNormalMagnitude
            parameters.frequencyPenalty = -huge
            parameters.presencePenalty = huge
            var logits = slope
            logits[5] = 3
            let choice = try choose(logits, parameters, tokens: [0, 5, 5, 6, 6])
            #expect((0..<40).contains(choice.token))
            #expect(choice.logProbability?.isFinite == true)
        }
    }

    @Test func `temperature zero takes the largest, the lowest id on ties`() throws {
        var logits = [Float](repeating: 0, count: 40)
        logits[9] = 4
        logits[21] = 4
        #expect(try choose(logits, SamplingParameters(temperature: 0)).token == 9)
    }

    @Test func `the same seed and position draw the same token, others do not always`() throws {
        let tokens = try (0..<50).map { try choose(slope, SamplingParameters(seed: $0)).token }
        #expect(try tokens == (0..<50).map { try choose(slope, SamplingParameters(seed: $0)).token })
        #expect(Set(tokens).count > 5)
    }

    @Test func `draws follow the distribution`() throws {
        let counts = try frequencies(SamplingParameters())
        let weights = slope.map { exp(Double($0)) }
        let sum = weights.reduce(0, +)
        for token in 3..<20 {
            let expected = weights[token] / sum * 3000
            let deviation = (expected * (1 - expected / 3000)).squareRoot()
            #expect(abs(Double(counts[Int32(token)] ?? 0) - expected) < 5 * deviation)
        }
    }

    @Test func `top-k keeps the most likely`() throws {
        #expect(Set(try frequencies(SamplingParameters(topK: 4)).keys) == [3, 4, 5, 6])
    }

    @Test func `top-p keeps the smallest set that reaches it`() throws {
        let weights = slope.map { exp(Double($0)) }
        let sum = weights.reduce(0, +)
        var (mass, kept) = (0.0, Set<Int32>())
        for token in 3..<40 where mass < 0.3 * sum {
            mass += weights[token]
            kept.insert(Int32(token))
        }
        #expect(Set(try frequencies(SamplingParameters(topP: 0.3)).keys) == kept)
    }

    @Test func `min-p drops what is too unlikely beside the best`() throws {
        // exp(−0.1 k) ≥ 0.65 for k ≤ 4.
        #expect(Set(try frequencies(SamplingParameters(minP: 0.65)).keys) == [3, 4, 5, 6, 7])
    }

    @Test func `a low temperature sharpens`() throws {
        let counts = try frequencies(SamplingParameters(temperature: 0.02))
        #expect(counts[3]! > 2900)
    }

    @Test func `penalties push down what has been said`() throws {
        var logits = [Float](repeating: 0, count: 40)
        (logits[5], logits[6], logits[7]) = (3, 2.9, 2.8)
        // Token 5 stands in the prompt, token 6 in the output.
        let tokens: [Int32] = [5, 6]
        func best(_ parameters: SamplingParameters) throws -> Int32 {
            try choose(logits, parameters, tokens: tokens, promptLength: 1).token
        }
        #expect(try best(SamplingParameters(temperature: 0)) == 5)
        #expect(try best(SamplingParameters(temperature: 0, repetitionPenalty: 1.5)) == 7)
        #expect(try best(SamplingParameters(temperature: 0, frequencyPenalty: 1)) == 5)
        #expect(
            try best(
                SamplingParameters(
                    temperature: 0, presencePenalty: 1, logitBias: [LogitBias(token: 5, bias: -100)])) == 7)
    }

    @Test func `biases decide, and one outside the vocabulary is refused`() throws {
        let biased = SamplingParameters(temperature: 0, logitBias: [LogitBias(token: 30, bias: 100)])
        #expect(try choose(slope, biased).token == 30)
        let foreign = SamplingParameters(logitBias: [LogitBias(token: 40, bias: 1)])
        #expect(throws: InferenceError.self) { try choose(slope, foreign) }
    }

    @Test func `log-probabilities are those of the model, whatever the sampling`() throws {
        let parameters = SamplingParameters(
            temperature: 0, logitBias: [LogitBias(token: 30, bias: 100)], topLogProbabilityCount: 2)
        let choice = try choose(slope, parameters)
        let sum = log(slope.reduce(0.0) { $0 + exp(Double($1)) })
        #expect(abs(Double(choice.logProbability!) - (Double(slope[30]) - sum)) < 1e-5)
        #expect(choice.top.map(\.token) == [3, 4])
        #expect(abs(Double(choice.top[0].logProbability) - (Double(slope[3]) - sum)) < 1e-5)
    }

    @Test func `the generator is Philox, as its authors' known answers say`() {
        // Random123's known-answer tests for philox4x32-10.
        let zero = CounterBasedGenerator(seed: 0).block(at: (0, 0, 0, 0))
        #expect(zero == (0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let ones = CounterBasedGenerator(seed: .max).block(at: (.max, .max, .max, .max))
        #expect(ones == (0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    }
}
