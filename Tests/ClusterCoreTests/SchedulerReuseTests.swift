import ClusterCore
import Testing
import Transport

/// KV that requests leave behind, over one stage: KV for 2048 tokens, 256 rows a step.
struct SchedulerReuseTests {
    var scheduler: Scheduler
    private var steps: [Step] = []
    private var lastTicket: UInt64 = 0

    init() { scheduler = Self.scheduler() }

    private static func scheduler(_ change: (inout SchedulerConfiguration) -> Void = { _ in }) -> Scheduler {
        var configuration = SchedulerConfiguration(
            contextLength: 1024, vocabularySize: 1000, maximumRunningCount: 8, maximumStepRowCount: 256)
        change(&configuration)
        return Scheduler(configuration: configuration)
    }

    private mutating func open() {
        _ = feed(.opened(stageCount: 1, keyValueTokenCapacity: 2048))
        _ = answerAll()
    }

    @discardableResult
    private mutating func feed(_ event: Scheduler.Event) -> [Scheduler.Effect] {
        let effects = scheduler.handle(event, at: .zero)
        for case .send(let step) in effects { steps.append(step) }
        return effects
    }

    /// All results up to the end, each sampled token one more than the last one of its slice.
    private mutating func answerAll() -> [Scheduler.Effect] {
        var effects: [Scheduler.Effect] = []
        while !steps.isEmpty {
            let step = steps.removeFirst()
            let slices = step.slices.map { slice -> SliceResult in
                guard case .sample = slice.output else { return SliceResult(sequence: slice.sequence, output: .none) }
                let token = (slice.tokens.last ?? 0) + 1
                return SliceResult(sequence: slice.sequence, output: .sampled(TokenChoice(token: token)))
            }
            effects += feed(.result(StepResult(id: step.id, slices: slices)))
        }
        return effects
    }

    @discardableResult
    private mutating func submit(_ prompt: some Sequence<Int32>, maximum: Int = 4, owner: String? = nil) -> Ticket {
        lastTicket += 1
        var request = GenerationRequest.prompt(Array(prompt), maximum: maximum)
        request.owner = owner
        feed(.submitted(Ticket(lastTicket), .generation(request)))
        return Ticket(lastTicket)
    }

    /// Runs a request to its end; how many tokens it reused.
    private mutating func run(_ prompt: some Sequence<Int32>, maximum: Int = 4, owner: String? = nil) -> Int {
        let ticket = submit(prompt, maximum: maximum, owner: owner)
        let effects = answerAll()
        #expect(effects.contains(.finished(ticket, .length)))
        return effects.compactMap { if case .reused(ticket, let count) = $0 { count } else { nil } }.first ?? 0
    }

    @Test mutating func `the next turn of a conversation computes only what is new`() throws {
        open()
        #expect(run(1...40) == 0)
        // The answer is 41, 42, 43, 44; nobody has sent its last token.
        #expect(scheduler.keptTokenCount == 43)
        #expect(scheduler.reservedTokenCount == 0)
        let turn = Array(1...44) + [900, 901] as [Int32]
        #expect(scheduler.reusableTokenCount(of: turn) == 43)
        let ticket = submit(turn)
        let slice = try #require(steps.first?.slices.first)
        #expect(slice.startPosition == 43)
        #expect(slice.tokens == [44, 900, 901])
        #expect(slice.rewinds)
        guard case .sample(_, promptLength: 46) = slice.output else {
            Issue.record("wants \(slice.output)")
            return
        }
        #expect(scheduler.reservedTokenCount == 256)
        #expect(scheduler.keptTokenCount == 0)
        let effects = answerAll()
        #expect(
            effects.filter { if case .send = $0 { false } else { true } }.prefix(2) == [
                .reused(ticket, tokenCount: 43), .token(ticket, TokenChoice(token: 902)),
            ])
        #expect(scheduler.keptTokenCount == 49)
        #expect(scheduler.reusedTokenCount == 43)
        // Only the first slice rewinds, or a lost one would not be noticed.
        _ = submit(Array(1...44) + [900, 901] + [Int32](repeating: 7, count: 300))
        #expect(steps.flatMap(\.slices).map(\.rewinds) == [true, false])
    }

    @Test mutating func `the same prompt again computes its last token`() throws {
        open()
        _ = run(1...40)
        submit(1...40)
        let slice = try #require(steps.first?.slices.first)
        #expect(slice.startPosition == 39)
        #expect(slice.tokens == [40])
        #expect(slice.rewinds)
    }

    @Test mutating func `the longest common beginning counts, and what is short is not worth it`() {
        open()
        _ = run(1...31)
        #expect(run(1...32) == 0)
        _ = run(Array(1...60) + [500])
        #expect(scheduler.reusableTokenCount(of: Array(1...60) + [501]) == 60)
        #expect(scheduler.reusableTokenCount(of: Array(1...31) + [501]) == 0)
    }

    @Test mutating func `a conversation is not given up for a beginning that is less than half of it`() {
        open()
        _ = run(1...200)
        #expect(scheduler.reusableTokenCount(of: Array(1...101) + [999]) == 0)
        #expect(scheduler.reusableTokenCount(of: Array(1...102) + [999]) == 102)
    }

    @Test mutating func `two requests that begin alike at the same time do not share a sequence`() {
        open()
        _ = run(1...100)
        submit(Array(1...100) + [500])
        submit(Array(1...100) + [600])
        let first = steps.flatMap(\.slices)
        #expect(first.map(\.startPosition) == [100, 0])
        #expect(Set(first.map(\.sequence)).count == 2)
        _ = answerAll()
        #expect(scheduler.keptSequenceCount == 2)
    }

    @Test mutating func `nobody goes on from what another client has asked`() {
        open()
        _ = run(1...100, owner: "a")
        #expect(scheduler.reusableTokenCount(of: Array(1...100)) == 0)
        #expect(scheduler.reusableTokenCount(of: Array(1...100), owner: "b") == 0)
        #expect(run(Array(1...100) + [5], owner: "b") == 0)
        #expect(run(Array(1...100) + [5], owner: "a") == 100)
    }

    @Test mutating func `what is kept makes nobody wait, and what was used longest ago goes first`() {
        open()
        for start in [0, 100, 200] as [Int32] { _ = run((start + 1)...(start + 60), maximum: 400) }
        #expect(scheduler.keptSequenceCount == 3)
        // Two blocks each are kept of eight: the first one goes, as it was used longest ago.
        let before = scheduler.keptTokenCount
        let ticket = submit((500...900).map { Int32($0) }, maximum: 600)
        #expect(scheduler.runningRequestCount == 1)
        #expect(scheduler.keptSequenceCount == 2)
        #expect(scheduler.keptTokenCount < before)
        #expect(steps.first?.released.count == 1)
        #expect(scheduler.reusableTokenCount(of: Array(1...60)) == 0)
        #expect(scheduler.reusableTokenCount(of: Array(101...160) + Array(161...559)) > 0)
        feed(.cancelled(ticket))
    }

    @Test mutating func `an idle pipeline whose KV is all kept is probed`() {
        scheduler = Self.scheduler { $0.contextLength = 256 }
        _ = feed(.opened(stageCount: 1, keyValueTokenCapacity: 256))
        _ = answerAll()
        _ = run(1...100)
        #expect(scheduler.keptSequenceCount == 1)
        for case .send(let step) in scheduler.handle(.tick, at: .seconds(6)) { steps.append(step) }
        #expect(steps.first?.slices.map(\.tokens) == [[0]])
        #expect(steps.first?.released.count == 1)
        #expect(scheduler.keptSequenceCount == 0)
    }

    @Test mutating func `no more sequences are kept than the limit says`() {
        scheduler = Self.scheduler { $0.keptSequenceLimit = 2 }
        open()
        for start in [0, 100, 200, 300] as [Int32] { _ = run((start + 1)...(start + 40)) }
        #expect(scheduler.keptSequenceCount == 2)
        #expect(scheduler.reusableTokenCount(of: Array(101...140)) == 0)
        #expect(scheduler.reusableTokenCount(of: Array(201...240)) == 39)
    }

    @Test mutating func `a prompt that was cancelled half-way serves once its steps are answered`() throws {
        open()
        let prompt = (0..<900).map { Int32($0) }
        let ticket = submit(prompt)
        #expect(steps.flatMap(\.slices).map(\.tokens.count) == [256, 256])
        feed(.cancelled(ticket))
        // Nobody knows yet whether stages hold that.
        #expect(scheduler.reusableTokenCount(of: prompt) == 0)
        _ = answerAll()
        #expect(scheduler.keptTokenCount == 512)
        submit(prompt)
        #expect(steps.first?.slices.first?.startPosition == 512)
    }

    @Test mutating func `an answer that was cancelled half-way serves, and its late token goes to nobody`() throws {
        open()
        let ticket = submit(1...40, maximum: 50)
        for _ in 0..<3 {
            let step = steps.removeFirst()
            feed(
                .result(
                    StepResult(
                        id: step.id,
                        slices: [
                            SliceResult(sequence: step.slices[0].sequence, output: .sampled(TokenChoice(token: 7)))
                        ]
                    )))
        }
        feed(.cancelled(ticket))
        let late = try #require(steps.first)
        // The one that begins before that is answered has to begin anew.
        let other = submit(Array(1...40) + [7, 7, 7, 9])
        #expect(steps.last?.slices.first?.startPosition == 0)
        #expect(steps.last?.slices.first?.sequence != late.slices[0].sequence)
        let effects = answerAll()
        #expect(effects.allSatisfy { if case .token(ticket, _) = $0 { false } else { true } })
        #expect(effects.contains(.finished(other, .length)))
        #expect(scheduler.keptSequenceCount == 2)
    }

    @Test mutating func `a request that is cancelled before its first step leaves all that it would have gone on from`()
    {
        scheduler = Self.scheduler { $0.maximumStepRowCount = 64 }
        open()
        _ = run(1...100)
        let kept = scheduler.keptTokenCount
        // This one takes all rows of the steps that may be in flight.
        submit((0..<900).map { _ in 5 })
        let ticket = submit(Array(1...60) + [999])
        #expect(scheduler.keptSequenceCount == 0)
        feed(.cancelled(ticket))
        #expect(scheduler.keptTokenCount == kept)
        #expect(scheduler.reusableTokenCount(of: Array(1...102)) == 101)
    }

    @Test mutating func `what a failed step leaves is given back`() throws {
        open()
        let ticket = submit((0..<900).map { Int32($0) })
        let sequence = try #require(steps.first?.slices.first?.sequence)
        feed(.cancelled(ticket))
        #expect(scheduler.keptSequenceCount == 1)
        let failed = steps.removeFirst()
        feed(.stepFailed(failed.id, .workerFailed(node: "a", reason: "chance"), isRetryable: true))
        #expect(scheduler.keptSequenceCount == 0)
        let effects = answerAll()
        let released = effects.flatMap { effect -> [SequenceID] in
            if case .send(let step) = effect { step.released } else { [] }
        }
        // That of the first probe rides along once more.
        #expect(released.contains(sequence))
    }

    @Test mutating func `a request whose step failed begins anew, without what it had taken over`() throws {
        open()
        _ = run(1...100)
        let ticket = submit(Array(1...100) + [500])
        let step = steps.removeFirst()
        let sequence = step.slices[0].sequence
        feed(.stepFailed(step.id, .workerFailed(node: "a", reason: "chance"), isRetryable: true))
        let again = try #require(steps.first)
        #expect(again.released == [sequence])
        #expect(again.slices.map(\.startPosition) == [0])
        #expect(again.slices.map(\.rewinds) == [false])
        #expect(answerAll().contains(.finished(ticket, .length)))
    }

    @Test mutating func `with its pipeline all that was kept is gone`() {
        open()
        _ = run(1...100)
        let ticket = submit(Array(1...100) + [500])
        feed(.closed(because: "worker b"))
        steps = []
        #expect(scheduler.keptSequenceCount == 0)
        open()
        #expect(scheduler.keptSequenceCount == 1)
        #expect(scheduler.reusableTokenCount(of: Array(1...100) + [500, 501]) > 100)
        _ = run(1...40)
        feed(.closed(because: "worker b"))
        #expect(scheduler.keptTokenCount == 0)
        _ = ticket
    }

    @Test mutating func `texts to score and probes leave nothing, and nothing is kept when it is not to be`() {
        open()
        #expect(scheduler.keptSequenceCount == 0)
        feed(.submitted(Ticket(9), .scoring(ScoringRequest(tokens: Array(1...100), topCount: 0, chunk: 100))))
        for step in steps { feed(.result(SchedulerTests.answer(step))) }
        #expect(scheduler.keptSequenceCount == 0)
        steps = []
        scheduler = Self.scheduler { $0.reusesPrefixes = false }
        open()
        #expect(run(1...100) == 0)
        #expect(scheduler.keptSequenceCount == 0)
        #expect(run(1...100) == 0)
    }
}
