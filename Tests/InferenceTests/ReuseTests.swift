import TestSupport
import Testing
import Transport

@testable import Inference

/// A request that goes on from the KV of an earlier one gets the bits that it would get without.
@Suite struct ReuseTests {
    private typealias Run = ([SequenceSlice], [SequenceID]) throws -> [SliceResult]

    private static let sampled = SamplingParameters(
        temperature: 0.9, topP: 0.95, repetitionPenalty: 1.3, frequencyPenalty: 0.7, presencePenalty: 0.4, seed: 5,
        topLogProbabilityCount: 3)
    private static let greedy = SamplingParameters(
        temperature: 0, repetitionPenalty: 1.2, frequencyPenalty: 0.5, topLogProbabilityCount: 3)

    /// Generates behind a prompt, in a sequence that holds so many tokens of it already.
    private static func generate(
        _ prompt: [Int32], from start: Int = 0, count: Int = 10, chunk: Int, _ parameters: SamplingParameters,
        in sequence: SequenceID, _ run: Run
    ) throws -> [TokenChoice] {
        var choices: [TokenChoice] = []
        var (pending, position) = (Array(prompt[start...]), start)
        while choices.count < count {
            let tokens = Array(pending.prefix(chunk))
            pending.removeFirst(tokens.count)
            let slice = SequenceSlice(
                sequence: sequence, startPosition: position, tokens: tokens,
                output: pending.isEmpty ? .sample(parameters, promptLength: prompt.count) : .none,
                rewinds: position == start && start > 0)
            position += tokens.count
            guard case .sampled(let choice)? = try run([slice], []).first?.output else { continue }
            choices.append(choice)
            pending = [choice.token]
        }
        return choices
    }

    /// Three turns, of which the last edits the one before: once in a sequence that is taken over, once each on its own.
    private static func check(_ chunk: Int, _ parameters: SamplingParameters, _ place: String, _ run: Run) throws {
        let taken = SequenceID(1)
        let first = randomTokens(70, below: 256, seed: 1)
        var answer = try generate(first, chunk: chunk, parameters, in: taken, run)
        let known = first + answer.dropLast().map(\.token)
        let turn = first + answer.map(\.token) + randomTokens(20, below: 256, seed: 2)
        let edited = Array(turn.prefix(75)) + randomTokens(9, below: 256, seed: 4)
        for (number, (prompt, start)) in [(turn, known.count), (edited, 75), (edited, edited.count - 1)].enumerated() {
            let alone = SequenceID(UInt64(10 + number))
            answer = try generate(prompt, from: start, chunk: chunk, parameters, in: taken, run)
            let expected = try generate(prompt, chunk: 512, parameters, in: alone, run)
            #expect(answer == expected, "\(place), turn \(number), chunks of \(chunk)")
            _ = try run([], [alone])
        }
        _ = try run([], [taken])
    }

    @Test(arguments: [[6], [2, 4], [1, 2, 3]], [sampled, greedy])
    func `behind each other`(split: [Int], parameters: SamplingParameters) throws {
        var pipeline = try makePipeline(Fixtures.ryzTinyPath, split: split, keyValueTokens: 2048)
        for chunk in [512, 7] { try Self.check(chunk, parameters, "\(split)") { try pipeline.run($0, releasing: $1) } }
    }

    @Test(arguments: [[2], [1, 3]], [sampled, greedy])
    func `side by side`(placement: [Int], parameters: SamplingParameters) throws {
        let pipeline = try RankedPipeline(Fixtures.ryzTinyPath, placement: placement)
        try Self.check(9, parameters, "\(placement)") { try pipeline.run($0, releasing: $1) }
    }

    @Test func `only a slice that rewinds begins before the end, and none behind it`() throws {
        try TinyLlama().builder().withFile { path in
            var pipeline = try makePipeline(path, split: [1, 1], keyValueTokens: 512)
            func slice(at position: Int, _ count: Int = 1, rewinds: Bool) -> SequenceSlice {
                SequenceSlice(
                    sequence: SequenceID(1), startPosition: position, tokens: [Int32](repeating: 3, count: count),
                    output: .none, rewinds: rewinds)
            }
            _ = try pipeline.run([slice(at: 0, 10, rewinds: false)])
            #expect(throws: InferenceError.self) { try pipeline.run([slice(at: 9, rewinds: false)]) }
            #expect(throws: InferenceError.self) { try pipeline.run([slice(at: 11, rewinds: false)]) }
            #expect(throws: InferenceError.self) { try pipeline.run([slice(at: 11, rewinds: true)]) }
            #expect(pipeline.stages.map(\.keyValueTokenCount) == [10, 10])
            _ = try pipeline.run([slice(at: 4, 2, rewinds: true)])
            #expect(pipeline.stages.map(\.keyValueTokenCount) == [6, 6])
            _ = try pipeline.run([slice(at: 6, rewinds: true)])
            #expect(pipeline.stages.map(\.keyValueTokenCount) == [7, 7])
        }
    }

    @Test func `a sequence that rewinds gives its blocks to the others of its step`() throws {
        var table = SequenceTable(blockCount: 3, contextLength: 1024)
        func slice(_ sequence: UInt64, at position: Int, _ count: Int, rewinds: Bool = false) -> SequenceSlice {
            SequenceSlice(
                sequence: SequenceID(sequence), startPosition: position,
                tokens: [Int32](repeating: 1, count: count), output: .none, rewinds: rewinds)
        }
        _ = try table.extend([slice(1, at: 0, 700)])
        #expect(throws: InferenceError.self) { try table.extend([slice(2, at: 0, 300)]) }
        let plan = try table.extend([slice(2, at: 0, 300), slice(1, at: 100, 20, rewinds: true)])
        #expect(table.tokenCount == 420)
        #expect(Set(plan[0].blocks).isDisjoint(with: plan[1].blocks))
        table.release(SequenceID(1))
        table.release(SequenceID(2))
        _ = try table.extend([slice(3, at: 0, 768)])
    }
}
