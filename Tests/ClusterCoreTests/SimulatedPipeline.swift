import ClusterCore
import Transport

/// The stages as the scheduler sees them: steps go in and come out in order. It keeps what a worker's KV cache would
/// hold and notes each breach of what the scheduler promises.
struct SimulatedPipeline {
    private(set) var stageCount: Int
    let keyValueTokenCapacity: Int
    let maximumStepRowCount: Int
    let vocabularySize: Int
    private(set) var steps: [Step] = []
    /// All tokens of each sequence that holds KV.
    private(set) var sequences: [SequenceID: [Int32]] = [:]
    private(set) var breaches: [String] = []
    /// Sequences in the order in which their first slice came.
    private(set) var order: [SequenceID] = []
    private var results: [StepResult] = []
    private var releasedOnce: Set<SequenceID> = []
    /// Given back by steps that failed, or had no rows.
    private var repeatable: Set<SequenceID> = []
    private var decodingInFlight: Set<SequenceID> = []
    private var lastStep = StepID(0)

    init(stageCount: Int, keyValueTokenCapacity: Int, maximumStepRowCount: Int, vocabularySize: Int) {
        self.stageCount = stageCount
        self.keyValueTokenCapacity = keyValueTokenCapacity
        self.maximumStepRowCount = maximumStepRowCount
        self.vocabularySize = vocabularySize
    }

    var inFlightStepCount: Int { results.count }

    /// Begins anew with empty stages, as in a new epoch.
    mutating func begin(stageCount: Int) {
        self.stageCount = stageCount
        (sequences, results, decodingInFlight, repeatable) = ([:], [], [], [])
        lastStep = StepID(0)
        steps = []
    }

    /// The token that follows `tokens`: any function of all of them will do.
    static func next(after tokens: [Int32], vocabularySize: Int) -> Int32 {
        var hash: UInt64 = 14_695_981_039_346_656_037
        for token in tokens { hash = (hash ^ UInt64(truncatingIfNeeded: token)) &* 1_099_511_628_211 }
        return Int32((hash >> 33) % UInt64(vocabularySize))
    }

    mutating func send(_ step: Step) {
        check(step.id.number == lastStep.number + 1, "step \(step.id.number) follows \(lastStep.number)")
        lastStep = step.id
        for sequence in step.released {
            let isRepeated = repeatable.contains(sequence)
            check(
                sequences.removeValue(forKey: sequence) != nil || isRepeated,
                "released \(sequence.number), which holds nothing")
            check(releasedOnce.insert(sequence).inserted || isRepeated, "released \(sequence.number) twice")
        }
        if step.slices.isEmpty { repeatable.formUnion(step.released) }
        check(step.rowCount <= maximumStepRowCount, "a step of \(step.rowCount) rows")
        check(Set(step.slices.map(\.sequence)).count == step.slices.count, "two slices of a sequence in a step")
        results.append(StepResult(id: step.id, slices: step.slices.map { compute($0) }))
        steps.append(step)
        let inFlightCount = results.count { !$0.slices.isEmpty }
        check(inFlightCount <= stageCount + 1, "\(inFlightCount) steps in flight over \(stageCount) stages")
        let blockCount = sequences.values.reduce(0) { $0 + ($1.count + 255) / 256 }
        check(blockCount * 256 <= keyValueTokenCapacity, "\(blockCount) blocks hold KV")
    }

    /// The oldest step's result.
    mutating func finish() -> StepResult? {
        guard !results.isEmpty else { return nil }
        for slice in results[0].slices { decodingInFlight.remove(slice.sequence) }
        return results.removeFirst()
    }

    /// The oldest step as one that a stage failed to compute.
    mutating func fail() -> StepID? {
        guard let result = finish() else { return nil }
        repeatable.formUnion(steps.first { $0.id == result.id }?.released ?? [])
        return result.id
    }

    private mutating func compute(_ slice: SequenceSlice) -> SliceResult {
        let id = slice.sequence
        check(!releasedOnce.contains(id), "sequence \(id.number) goes on after its release")
        if sequences[id] == nil { order.append(id) }
        if slice.rewinds {
            let isInFlight = results.contains { $0.slices.contains { $0.sequence == id } }
            check(!isInFlight, "sequence \(id.number) is taken over with steps in flight")
            sequences[id] = Array(sequences[id, default: []].prefix(slice.startPosition))
        }
        check(slice.startPosition == sequences[id, default: []].count, "a gap in sequence \(id.number)")
        sequences[id, default: []] += slice.tokens
        let tokens = sequences[id, default: []]
        switch slice.output {
        case .none: return SliceResult(sequence: id, output: .none)
        case .sample(_, let promptLength):
            check(decodingInFlight.insert(id).inserted, "two rows of sequence \(id.number) to sample in flight")
            check(promptLength <= tokens.count, "a prompt longer than its sequence")
            let token = Self.next(after: tokens, vocabularySize: vocabularySize)
            return SliceResult(sequence: id, output: .sampled(TokenChoice(token: token)))
        case .score(let targets, let topCount):
            let top = slice.tokens.map { token in
                (0..<topCount).map { TokenLogProbability(token: Int32($0), logProbability: -Float(token)) }
            }
            let score = SliceScore(
                targetLogProbabilities: targets.map { -Float($0) / 2 }, top: top,
                logitsDigest: [UInt8](repeating: UInt8(tokens.count % 256), count: 32))
            return SliceResult(sequence: id, output: .scored(score))
        }
    }

    private mutating func check(_ holds: Bool, _ breach: String) {
        if !holds { breaches.append(breach) }
    }
}
