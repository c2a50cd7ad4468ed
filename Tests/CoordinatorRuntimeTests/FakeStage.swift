import Foundation
import Synchronization
import Collectives
import Transport
import WorkerRuntime

/// What all fake stages of a cluster share: a log of their steps, and what a test makes them do.
final class StageScript: Sendable {
    static let vocabularySize = 1000

    private struct State {
        var isHeld = false
        var failingTokens: Set<Int32> = []
        var failure = StageError("the test wants it to fail", isRetryable: false)
        var loadProblem: StageError?
        var firstTokens: [Int32] = []
        var rowCount = 0
    }

    private let state = Mutex(State())

    /// While held, no stage computes; for ten seconds at most.
    func hold(_ isHeld: Bool) { state.withLock { $0.isHeld = isHeld } }

    /// From now on, last stages fail to compute slices with this token.
    func fail(on token: Int32, isRetryable: Bool) {
        state.withLock { state in
            state.failingTokens = [token]
            state.failure.isRetryable = isRetryable
        }
    }

    /// From now on, parts load, or fail to.
    func failLoading(_ problem: StageError?) { state.withLock { $0.loadProblem = problem } }

    /// The first token of each prompt, probes left out, in the order in which the first stage met them.
    var firstTokens: [Int32] { state.withLock(\.firstTokens) }

    /// Rows that the first stage has computed.
    var rowCount: Int { state.withLock(\.rowCount) }

    var loadProblem: StageError? { state.withLock(\.loadProblem) }

    fileprivate func failure(on slice: SequenceSlice) -> StageError? {
        state.withLock { $0.failingTokens.isDisjoint(with: slice.tokens) ? nil : $0.failure }
    }

    fileprivate func waitUntilReleased() {
        for _ in 0..<5000 where state.withLock(\.isHeld) { Thread.sleep(forTimeInterval: 0.002) }
    }

    fileprivate func note(_ step: Step) {
        state.withLock { state in
            state.rowCount += step.rowCount
            for slice in step.slices where slice.startPosition == 0 && slice.tokens != [0] {
                state.firstTokens.append(slice.tokens[0])
            }
        }
    }

    /// The token that follows `tokens`.
    static func next(after tokens: [Int32]) -> Int32 {
        Int32(
            tokens.enumerated().reduce(7) { ($0 * 31 + ($1.offset + 1) * Int($1.element)) % 999_983 } % vocabularySize)
    }
}

/// A stage whose next token is a function of all tokens of its sequence.
final class FakeStage: StageComputing {
    let hiddenSize = 2
    let weightsByteCount = 1000
    let keyValueTokenCapacity: Int
    private let assignment: StageAssignment
    private let script: StageScript
    private var sequences: [SequenceID: [Int32]] = [:]
    private var hiddenStates: [Float] = []

    init(_ assignment: StageAssignment, _ script: StageScript) {
        self.assignment = assignment
        self.script = script
        keyValueTokenCapacity = assignment.keyValueTokenCapacity
    }

    var keyValueTokenCount: Int { sequences.values.reduce(0) { $0 + $1.count } }

    func run(_ step: Step, hiddenStates: RawSpan) throws(StageError) -> StageOutput { try run(step) }

    func run(_ step: Step) throws(StageError) -> StageOutput {
        script.waitUntilReleased()
        if assignment.isFirstStage, assignment.rank == 0 { script.note(step) }
        for sequence in step.released { sequences[sequence] = nil }
        var results: [SliceResult] = []
        for slice in step.slices {
            var tokens = sequences[slice.sequence, default: []]
            if slice.rewinds { tokens = Array(tokens.prefix(slice.startPosition)) }
            guard slice.startPosition == tokens.count else {
                throw StageError("sequence \(slice.sequence.number) has a gap", isRetryable: false)
            }
            sequences[slice.sequence] = tokens + slice.tokens
            if assignment.isLastStage { results.append(try result(of: slice, tokens + slice.tokens)) }
        }
        hiddenStates = [Float](repeating: 1, count: step.rowCount * hiddenSize)
        guard assignment.isLastStage else { return .hiddenStates }
        return assignment.answers ? .result(StepResult(id: step.id, slices: results)) : .nothing
    }

    func reset(joining group: RankGroup) { sequences = [:] }

    func withHiddenStates<Result>(_ body: (RawSpan) throws(LinkError) -> Result) throws(LinkError) -> Result {
        // A copy, because a class's property has no lifetime that a span could depend on.
        let rows = hiddenStates
        return try body(rows.span.bytes)
    }

    private func result(of slice: SequenceSlice, _ tokens: [Int32]) throws(StageError) -> SliceResult {
        if let failure = script.failure(on: slice) { throw failure }
        let output: SliceResult.Output
        switch slice.output {
        case .none: output = .none
        case .sample: output = .sampled(TokenChoice(token: StageScript.next(after: tokens)))
        case .score(let targets, let topCount):
            output = .scored(
                SliceScore(
                    targetLogProbabilities: targets.map { -Float($0) },
                    top: slice.tokens.map { token in
                        (0..<topCount).map { TokenLogProbability(token: Int32($0), logProbability: -Float(token)) }
                    }, logitsDigest: [UInt8](repeating: UInt8(tokens.count % 256), count: 32)))
        }
        return SliceResult(sequence: slice.sequence, output: output)
    }
}
