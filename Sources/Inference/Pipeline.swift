import Kernels
import Transport

/// Stages in one process, run one after the other: the whole model, as tools and tests use it.
public struct Pipeline {
    public let stages: [Stage]
    private var nextStep: UInt64 = 0

    /// The stages must cover all layers, in order.
    public init(_ stages: [Stage]) throws(InferenceError) {
        var next = 0
        for stage in stages {
            guard stage.layers.lowerBound == next else { throw .distribution("no stage begins at layer \(next)") }
            next = stage.layers.upperBound
        }
        guard let last = stages.last, last.configuration.layerCount == next else {
            throw .distribution("the stages end before layer \(next)")
        }
        self.stages = stages
    }

    /// Passes slices through all stages and returns the last one's answer.
    public mutating func run(
        _ slices: [SequenceSlice], releasing released: [SequenceID] = []
    ) throws(InferenceError) -> [SliceResult] {
        let step = Step(id: StepID(nextStep), slices: slices, released: released)
        nextStep += 1
        var output = try stages[0].run(step)
        for (previous, stage) in zip(stages, stages.dropFirst()) {
            output = try previous.withHiddenStates { (states) throws(InferenceError) in
                try stage.run(step, hiddenStates: states)
            }
        }
        guard case .result(let result) = output else { throw .distribution("the last stage has no head") }
        return result.slices
    }

    /// Teacher forcing over a whole text, `chunk` tokens a step, in a sequence that is released afterwards.
    ///
    /// - Parameter progress: is told after each step how many tokens are done.
    public mutating func score(
        _ tokens: [Int32], chunk: Int, topCount: Int, sequence: SequenceID = SequenceID(0),
        progress: (Int) -> Void = { _ in }
    ) throws(InferenceError) -> SliceScore {
        var total = SliceScore(targetLogProbabilities: [], top: [], logitsDigest: [])
        for first in stride(from: 0, to: tokens.count, by: max(chunk, 1)) {
            let end = min(first + max(chunk, 1), tokens.count)
            let targets = Array(tokens[min(first + 1, tokens.count)..<min(end + 1, tokens.count)])
            let slice = SequenceSlice(
                sequence: sequence, startPosition: first, tokens: Array(tokens[first..<end]),
                output: .score(targets: targets, topCount: topCount))
            guard case .scored(let score)? = try run([slice]).first?.output else { continue }
            total.targetLogProbabilities += score.targetLogProbabilities
            total.top += score.top
            total.logitsDigest = score.logitsDigest
            progress(end)
        }
        _ = try run([], releasing: [sequence])
        return total
    }

    /// Continues a prompt by `count` tokens, each chosen with the same parameters.
    public mutating func generate(
        _ prompt: [Int32], count: Int, parameters: SamplingParameters, chunk: Int = 512,
        sequence: SequenceID = SequenceID(0)
    ) throws(InferenceError) -> [Int32] {
        var output: [Int32] = []
        var (pending, position) = (prompt, 0)
        while output.count < count, !pending.isEmpty {
            let tokens = Array(pending.prefix(chunk))
            pending.removeFirst(tokens.count)
            let slice = SequenceSlice(
                sequence: sequence, startPosition: position, tokens: tokens,
                output: pending.isEmpty ? .sample(parameters, promptLength: prompt.count) : .none)
            position += tokens.count
            if case .sampled(let choice)? = try run([slice]).first?.output {
                output.append(choice.token)
                pending = [choice.token]
            }
        }
        _ = try run([], releasing: [sequence])
        return output
    }
}
