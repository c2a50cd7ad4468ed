import TestSupport
import ClusterCore
import Testing
import Transport

/// Whole lives of a scheduler with a simulated pipeline: requests at random times, results after random delays, random
/// cancellations, failed steps and lost pipelines. Whatever happens, a request's tokens are those it has alone.
struct SchedulerPropertyTests {
    @Test(arguments: 0..<60)
    func `every request ends as it should and the stages hold what is kept afterwards, and nothing else`(seed: Int) {
        var life = SchedulerLife(seed: UInt64(seed))
        life.run()
        #expect(life.problems == [])
        #expect(life.pipeline.breaches == [])
        #expect(life.pipeline.sequences.count == life.scheduler.keptSequenceCount)
        #expect(life.pipeline.sequences.values.reduce(0) { $0 + $1.count } == life.scheduler.keptTokenCount)
        #expect(life.scheduler.reservedTokenCount == 0)
        #expect(life.scheduler.inFlightStepCount == 0)
        #expect(life.scheduler.runningRequestCount == 0)
        #expect(life.scheduler.queuedRequestCount == 0)
        #expect(life.pipeline.order == life.pipeline.order.sorted())
        #expect(life.finishedCount > 0)
    }

    @Test func `many of them go on from what is kept`() {
        let counts = (0..<20).map { seed in
            var life = SchedulerLife(seed: UInt64(seed))
            life.run()
            return life.reusedTokenCount
        }
        #expect(counts.count { $0 > 0 } > 5)
    }
}

struct SchedulerLife {
    var scheduler: Scheduler
    var pipeline: SimulatedPipeline
    var problems: [String] = []
    var finishedCount = 0
    private var random: SeededGenerator
    private var now = Instant.zero
    private var open: [Ticket: Work] = [:]
    private var tokens: [Ticket: [Int32]] = [:]
    private(set) var reusedTokenCount = 0
    /// Prompts and answers of requests, to go on from.
    private var conversations: [[Int32]] = []
    private var lastTicket: UInt64 = 0
    private let vocabularySize = 50
    private let contextLength = 1024

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let stageCount = Int.random(in: 1...5, using: &random)
        let rowCount = [1, 7, 32, 512].randomElement(using: &random) ?? 32
        let capacity = [1024, 2048, 8192].randomElement(using: &random) ?? 2048
        scheduler = Scheduler(
            configuration: SchedulerConfiguration(
                contextLength: contextLength, vocabularySize: vocabularySize,
                maximumRunningCount: Int.random(in: 1...6, using: &random),
                queueLimit: Int.random(in: 0...8, using: &random), maximumStepRowCount: rowCount))
        pipeline = SimulatedPipeline(
            stageCount: stageCount, keyValueTokenCapacity: capacity, maximumStepRowCount: rowCount,
            vocabularySize: vocabularySize)
    }

    mutating func run() {
        feed(.opened(stageCount: pipeline.stageCount, keyValueTokenCapacity: pipeline.keyValueTokenCapacity))
        for _ in 0..<400 {
            now = now.advanced(by: .milliseconds(Int.random(in: 0...50, using: &random)))
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<15: submit()
            case 15..<19: cancel()
            case 19..<20: failStep()
            case 24..<25: lose()
            case 20..<24: feed(.tick)
            default: deliver()
            }
        }
        // No new requests: everything comes to its end.
        var remaining = 100_000
        while !(open.isEmpty && pipeline.inFlightStepCount == 0), remaining > 0 {
            now = now.advanced(by: .milliseconds(1))
            deliver()
            remaining -= 1
        }
        if !open.isEmpty { problems.append("\(open.count) requests never end") }
    }

    private mutating func submit() {
        lastTicket += 1
        let ticket = Ticket(lastTicket)
        let length = [1, 3, 40, 300, 900].randomElement(using: &random) ?? 1
        var prompt = (0..<Int.random(in: 1...length, using: &random)).map { _ in
            Int32.random(in: 0..<Int32(vocabularySize), using: &random)
        }
        if let before = conversations.randomElement(using: &random), Bool.random(using: &random) {
            let known = Bool.random(using: &random) ? before.count : Int.random(in: 0...before.count, using: &random)
            prompt = Array((before.prefix(known) + prompt).prefix(900))
        }
        let work: Work
        if Int.random(in: 0..<5, using: &random) == 0 {
            let chunk = Int.random(in: 1...600, using: &random)
            work = .scoring(ScoringRequest(tokens: prompt, topCount: 2, chunk: chunk))
        } else {
            let maximum = Int.random(in: 1...30, using: &random)
            work = .generation(.prompt(prompt, maximum: maximum, stop: [Int32(lastTicket % 50)]))
        }
        open[ticket] = work
        if case .generation(let request) = work {
            let known = prompt + expectation(request).tokens
            if known.count > 40 { conversations.append(known) }
            if conversations.count > 3 { conversations.removeFirst() }
        }
        feed(.submitted(ticket, work))
    }

    private mutating func cancel() {
        guard let ticket = open.keys.sorted().randomElement(using: &random) else { return }
        open[ticket] = nil
        feed(.cancelled(ticket))
    }

    private mutating func failStep() {
        guard let step = pipeline.fail() else { return }
        let isRetryable = Bool.random(using: &random)
        feed(.stepFailed(step, .workerFailed(node: "b", reason: "chance"), isRetryable: isRetryable))
    }

    /// Another pipeline takes over, of another depth; now and then one that is lost before it serves lies between.
    private mutating func lose() {
        feed(.closed(because: "chance"))
        if Bool.random(using: &random) {
            feed(.loading)
            if Bool.random(using: &random) { submit() }
            if Bool.random(using: &random) { cancel() }
            feed(.closed(because: "chance"))
        }
        feed(.loading)
        let stageCount = Int.random(in: 1...5, using: &random)
        pipeline.begin(stageCount: stageCount)
        feed(.opened(stageCount: stageCount, keyValueTokenCapacity: pipeline.keyValueTokenCapacity))
    }

    private mutating func deliver() {
        guard let result = pipeline.finish() else { return }
        feed(.result(result))
    }

    private mutating func feed(_ event: Scheduler.Event) {
        for effect in scheduler.handle(event, at: now) { apply(effect) }
        if scheduler.isOpen, scheduler.inFlightStepCount == 0,
            scheduler.runningRequestCount + scheduler.queuedRequestCount > 0
        {
            problems.append("there is work, and nothing is in flight")
        }
        if let deadline = scheduler.nextDeadline, deadline <= now, scheduler.inFlightStepCount == 0 {
            problems.append("a deadline that has passed")
        }
        if scheduler.reservedTokenCount + scheduler.keptTokenCount > pipeline.keyValueTokenCapacity {
            problems.append("more KV promised and kept than there is")
        }
        if !scheduler.isOpen, scheduler.keptSequenceCount > 0 { problems.append("KV is kept without a pipeline") }
    }

    private mutating func apply(_ effect: Scheduler.Effect) {
        switch effect {
        case .send(let step): pipeline.send(step)
        case .reused(let ticket, let count):
            if open[ticket] == nil || tokens[ticket] != nil {
                problems.append("reuse for request \(ticket.number), which is over or has sampled")
            }
            reusedTokenCount += count
        case .token(let ticket, let choice):
            if open[ticket] == nil { problems.append("a token for request \(ticket.number), which is over") }
            tokens[ticket, default: []].append(choice.token)
        case .finished(let ticket, let reason):
            guard case .generation(let request)? = open.removeValue(forKey: ticket) else {
                problems.append("request \(ticket.number) finished twice")
                return
            }
            finishedCount += 1
            let expected = expectation(request)
            if tokens[ticket] ?? [] != expected.tokens || reason != expected.reason {
                problems.append("request \(ticket.number) has other tokens than alone")
            }
        case .scored(let ticket, let text):
            guard case .scoring(let request)? = open.removeValue(forKey: ticket) else {
                problems.append("request \(ticket.number) scored twice")
                return
            }
            finishedCount += 1
            let wanted = ScoredText(
                nextLogProbabilities: request.tokens.dropFirst().map { -Float($0) / 2 },
                top: request.tokens.map { token in
                    (0..<2).map { TokenLogProbability(token: $0, logProbability: -Float(token)) }
                },
                logitsDigest: [UInt8](repeating: UInt8(request.tokens.count % 256), count: 32))
            if text != wanted { problems.append("request \(ticket.number) is scored wrongly") }
        case .failed(let ticket, let error):
            guard open.removeValue(forKey: ticket) != nil else {
                problems.append("request \(ticket.number) failed after its end")
                return
            }
            switch error {
            case .queueFull, .workerFailed, .lostTooOften: break
            default: problems.append("request \(ticket.number) failed: \(error)")
            }
        case .unexpectedResult, .brokenResult, .stalled, .lost, .outwaited: problems.append("\(effect)")
        }
    }

    /// What the request's tokens are when nothing else runs.
    private func expectation(_ request: GenerationRequest) -> (tokens: [Int32], reason: FinishReason) {
        var all = request.promptTokens
        var generated: [Int32] = []
        while generated.count < request.maximumTokenCount {
            let token = SimulatedPipeline.next(after: all, vocabularySize: vocabularySize)
            all.append(token)
            generated.append(token)
            if request.stopTokens.contains(token) { return (generated, .stop) }
        }
        return (generated, .length)
    }
}
