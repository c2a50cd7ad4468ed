import ClusterCore
import Transport

/// A request of a simulated client.
struct PlannedRequest: Sendable {
    var submittedAt: Instant
    var cancelledAt: Instant?
    var work: Work
    /// Whether what comes of it can be read again.
    var isStreamed: Bool

    /// What clients want until a time.
    static func all(
        seed: UInt64, until end: Instant, contextLength: Int, model: HashModel
    ) -> [PlannedRequest] {
        var random = RandomStream(seed: seed, .requests)
        let count = random.number(in: 3...20)
        var requests: [PlannedRequest] = (0..<count).map { number in
            let time = Instant(nanoseconds: Int64(random.fraction() * Double(end.nanoseconds)))
            let patience = random.duration(.zero, .seconds(3))
            let isCancelled = random.happens(0.15)
            let isStreamed = random.happens(0.85)
            let work = work(number, contextLength: contextLength, vocabularySize: model.vocabularySize, &random)
            return PlannedRequest(
                submittedAt: time, cancelledAt: isCancelled ? time.advanced(by: patience) : nil, work: work,
                isStreamed: isStreamed && !work.isScored)
        }
        // Conversations go on, from these requests and from those that follow on them.
        var next = 0
        while next < requests.count, requests.count < 3 * count {
            let before = requests[next]
            next += 1
            for _ in 0..<random.pick([0, 0, 1, 1, 2]) {
                let time = before.submittedAt.advanced(by: random.duration(.zero, .seconds(5)))
                let patience = random.duration(.zero, .seconds(2))
                let isCancelled = random.happens(0.15)
                guard time < end, let work = work(requests.count, following: before.work, contextLength, model, &random)
                else { continue }
                requests.append(
                    PlannedRequest(
                        submittedAt: time, cancelledAt: isCancelled ? time.advanced(by: patience) : nil, work: work,
                        isStreamed: before.isStreamed))
            }
        }
        return requests
    }

    /// The next turn after a request: its prompt and its answer, or their beginning, and something new. Nil if there is no
    /// room for it.
    private static func work(
        _ number: Int, following before: Work, _ contextLength: Int, _ model: HashModel, _ random: inout RandomStream
    ) -> Work? {
        let isEdited = random.happens(0.3)
        let share = random.fraction()
        let newCount = random.number(in: 1...12)
        let new = (0..<newCount).map { _ in Int32(random.number(in: 0...model.vocabularySize - 1)) }
        let limit = random.number(in: 1...40)
        let seed = random.next()
        guard case .generation(var request) = before,
            request.promptTokens.count + request.maximumTokenCount <= contextLength
        else { return nil }
        let known = request.promptTokens + ReferenceAnswer.generation(request, model).0.map(\.token)
        request.id = id(number)
        request.promptTokens = known.prefix(isEdited ? Int(share * Double(known.count)) : known.count) + new
        request.maximumTokenCount = min(limit, contextLength - request.promptTokens.count)
        request.sampling.seed = seed
        return request.maximumTokenCount > 0 ? .generation(request) : nil
    }

    /// What is asked for when faults have stopped, to see that it is answered.
    static func last(contextLength: Int) -> Work {
        .generation(
            GenerationRequest(
                id: "last", promptTokens: [1, 2, 3, 4, 5], maximumTokenCount: min(8, contextLength - 5),
                sampling: SamplingParameters(temperature: 0), stopTokens: []))
    }

    /// That of its stream and the number of the choice.
    private static func id(_ number: Int) -> String { "answer\(number)-0" }

    private static func work(
        _ number: Int, contextLength: Int, vocabularySize: Int, _ random: inout RandomStream
    ) -> Work {
        let tooLong = random.happens(0.05)
        let isScored = random.happens(0.15)
        let isShort = random.happens(0.6)
        let promptLength = random.number(in: 1...(isShort ? 20 : contextLength / 2))
        let tokens = (0..<promptLength).map { _ in Int32(random.number(in: 0...vocabularySize - 1)) }
        if isScored {
            return .scoring(
                ScoringRequest(tokens: tokens, topCount: random.number(in: 0...3), chunk: random.number(in: 1...64)))
        }
        let longest = contextLength - promptLength
        let sampling = SamplingParameters(
            temperature: random.pick([0, 0.7]), seed: random.next(),
            topLogProbabilityCount: random.pick([nil, nil, 0, 2]))
        let hasStops = random.happens(0.3)
        let stops = (0..<20).map { _ in Int32(random.number(in: 0...vocabularySize - 1)) }
        let limit = random.number(in: 1...min(60, longest))
        return .generation(
            GenerationRequest(
                id: id(number), promptTokens: tokens, maximumTokenCount: tooLong ? longest + 1 : limit,
                sampling: sampling, stopTokens: hasStops ? stops : []))
    }
}

extension Work {
    var isScored: Bool { if case .scoring = self { true } else { false } }
}
