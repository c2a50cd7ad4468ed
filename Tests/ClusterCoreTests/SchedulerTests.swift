import ClusterCore
import Testing
import Transport

/// A scheduler over three stages: context 1024, KV for 2048 tokens, two running, two waiting, 64 rows a step.
struct SchedulerTests {
    var scheduler = Scheduler(
        configuration: SchedulerConfiguration(
            contextLength: 1024, vocabularySize: 100, maximumRunningCount: 2, queueLimit: 2, maximumStepRowCount: 64))

    /// Opens the pipeline, and lets the first probe through and the step that gives its KV back.
    mutating func open(stageCount: Int = 3, keyValueTokenCapacity: Int = 2048) -> [Scheduler.Effect] {
        var effects = scheduler.handle(
            .opened(stageCount: stageCount, keyValueTokenCapacity: keyValueTokenCapacity), at: .zero)
        for _ in 0..<2 {
            effects = effects.flatMap { effect in
                guard case .send(let step) = effect else { return [effect] }
                return scheduler.handle(.result(Self.answer(step)), at: .zero)
            }
        }
        return effects
    }

    static func answer(_ step: Step, token: Int32 = 42) -> StepResult {
        StepResult(
            id: step.id,
            slices: step.slices.map { slice in
                switch slice.output {
                case .none: SliceResult(sequence: slice.sequence, output: .none)
                case .sample: SliceResult(sequence: slice.sequence, output: .sampled(TokenChoice(token: token)))
                case .score(let targets, let topCount):
                    SliceResult(
                        sequence: slice.sequence,
                        output: .scored(
                            SliceScore(
                                targetLogProbabilities: targets.map { -Float($0) },
                                top: slice.tokens.map { token in
                                    (0..<topCount).map { _ in TokenLogProbability(token: token, logProbability: -1) }
                                },
                                logitsDigest: [UInt8](repeating: UInt8(slice.startPosition % 256), count: 32))))
                }
            })
    }

    func steps(_ effects: [Scheduler.Effect]) -> [Step] {
        effects.compactMap { if case .send(let step) = $0 { step } else { nil } }
    }

    @Test mutating func `a new pipeline is probed with one token, whose KV is given back`() {
        let effects = scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 2048), at: .seconds(1))
        let probe = steps(effects)
        #expect(probe.count == 1)
        #expect(probe.first?.slices.map(\.tokens) == [[0]])
        #expect(scheduler.lastTokenPassedAt == nil)
        #expect(scheduler.runningRequestCount == 0)
        guard let step = probe.first else { return }
        let after = steps(scheduler.handle(.result(Self.answer(step)), at: .seconds(2)))
        #expect(after == [Step(id: StepID(2), slices: [], released: [step.slices[0].sequence])])
        #expect(scheduler.lastTokenPassedAt == .seconds(2))
        #expect(scheduler.reservedTokenCount == 0)
    }

    @Test mutating func `an idle pipeline is probed again after the probe interval, not before`() {
        _ = open()
        #expect(scheduler.nextDeadline == .seconds(5))
        #expect(scheduler.handle(.tick, at: .seconds(4.999)) == [])
        #expect(steps(scheduler.handle(.tick, at: .seconds(5))).count == 1)
        #expect(scheduler.handle(.tick, at: .seconds(6)) == [])
    }

    @Test mutating func `tokens come one after the other until a stop token, which is reported`() throws {
        _ = open()
        let request = GenerationRequest.prompt([1, 2, 3], maximum: 10, stop: [9])
        let first = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero)).first)
        #expect(first.slices.first?.tokens == [1, 2, 3])
        #expect(first.slices.first?.output == .sample(request.sampling, promptLength: 3))
        let second = scheduler.handle(.result(Self.answer(first, token: 5)), at: .zero)
        #expect(second.first == .token(Ticket(1), TokenChoice(token: 5)))
        let decode = try #require(steps(second).first)
        #expect(decode.slices.first?.tokens == [5])
        #expect(decode.slices.first?.startPosition == 3)
        #expect(decode.slices.first?.output == .sample(request.sampling, promptLength: 3))
        let last = scheduler.handle(.result(Self.answer(decode, token: 9)), at: .zero)
        #expect(
            last == [
                .token(Ticket(1), TokenChoice(token: 9)), .finished(Ticket(1), .stop),
                .send(Step(id: StepID(5), slices: [], released: [decode.slices[0].sequence])),
            ])
    }

    @Test mutating func `a request ends at its token limit`() throws {
        _ = open()
        let request = GenerationRequest.prompt([1], maximum: 1)
        let step = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero)).first)
        let effects = scheduler.handle(.result(Self.answer(step)), at: .zero)
        #expect(effects.prefix(2) == [.token(Ticket(1), TokenChoice(token: 42)), .finished(Ticket(1), .length)])
    }

    @Test mutating func `a long prompt goes in chunks back to back, one more than there are stages`() {
        _ = open()
        let request = GenerationRequest.prompt([Int32](repeating: 1, count: 300))
        let sent = steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero))
        #expect(sent.map { $0.slices.map(\.startPosition) } == [[0], [64], [128], [192]])
        #expect(sent.flatMap { $0.slices.map(\.output) } == [.none, .none, .none, .none])
        let next = steps(scheduler.handle(.result(Self.answer(sent[0])), at: .zero))
        #expect(next.map { $0.slices.map(\.tokens.count) } == [[44]])
        #expect(next.first?.slices.first?.output == .sample(request.sampling, promptLength: 300))
    }

    @Test mutating func `a long prompt does not hold up those that decode`() throws {
        _ = open()
        let short = GenerationRequest.prompt([1], maximum: 50)
        let step = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(short)), at: .zero)).first)
        var queue = steps(scheduler.handle(.result(Self.answer(step)), at: .zero))
        let long = GenerationRequest.prompt([Int32](repeating: 1, count: 800))
        queue += steps(scheduler.handle(.submitted(Ticket(2), .generation(long)), at: .zero))
        var prefilledRows = 0
        var tokenCount = 0
        while prefilledRows < 800, !queue.isEmpty {
            let step = queue.removeFirst()
            for slice in step.slices where slice.tokens.count > 1 || slice.startPosition == 0 {
                prefilledRows += slice.tokens.count
                #expect(slice.tokens.count <= 16)
            }
            let effects = scheduler.handle(.result(Self.answer(step)), at: .zero)
            tokenCount += effects.count { if case .token(Ticket(1), _) = $0 { true } else { false } }
            queue += steps(effects)
        }
        #expect(prefilledRows == 800)
        // 50 chunks, at most four of them in flight: a token for every fourth at least.
        #expect(tokenCount >= 12)
    }

    @Test func `decoding sequences are spread over the stages`() {
        var scheduler = Scheduler(
            configuration: SchedulerConfiguration(
                contextLength: 256, vocabularySize: 100, maximumRunningCount: 6, maximumStepRowCount: 64))
        var queue: [Step] = []
        var effects = scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 4096), at: .zero)
        for number in 1...6 {
            let request = GenerationRequest.prompt([1, 2], maximum: 100)
            effects += scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(request)), at: .zero)
        }
        queue += steps(effects)
        for _ in 0..<60 where !queue.isEmpty {
            queue += steps(scheduler.handle(.result(Self.answer(queue.removeFirst())), at: .zero))
        }
        #expect(queue.map { $0.slices.count } == [2, 2, 2])
    }

    @Test mutating func `beyond the queue's limit a request is refused, and those before it are answered in order`()
        throws
    {
        _ = open()
        var sent: [Step] = []
        for number in 1...4 {
            let request = GenerationRequest.prompt([Int32(number)], maximum: 1)
            sent += steps(scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(request)), at: .zero))
        }
        #expect(scheduler.runningRequestCount == 2)
        #expect(scheduler.queuedRequestCount == 2)
        let fifth = scheduler.handle(.submitted(Ticket(5), .generation(.prompt([5]))), at: .zero)
        #expect(fifth == [.failed(Ticket(5), .queueFull(limit: 2, retryAfterSeconds: 1))])
        var order: [UInt64] = []
        while !sent.isEmpty {
            let effects = scheduler.handle(.result(Self.answer(sent.removeFirst())), at: .zero)
            for case .finished(let ticket, .length) in effects { order.append(ticket.number) }
            sent += steps(effects).filter { !$0.slices.isEmpty }
        }
        #expect(order == [1, 2, 3, 4])
    }

    @Test mutating func `a request waits for KV and is not overtaken by a smaller one`() throws {
        _ = open(keyValueTokenCapacity: 1024)
        let big = GenerationRequest.prompt([1], maximum: 700)
        let step = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(big)), at: .zero)).first)
        #expect(scheduler.reservedTokenCount == 768)
        #expect(scheduler.handle(.submitted(Ticket(2), .generation(big)), at: .zero) == [])
        #expect(scheduler.handle(.submitted(Ticket(3), .generation(.prompt([3], maximum: 1))), at: .zero) == [])
        #expect(scheduler.queuedRequestCount == 2)
        let freed = steps(scheduler.handle(.cancelled(Ticket(1)), at: .zero))
        #expect(freed.first?.released == [step.slices[0].sequence])
        #expect(freed.flatMap(\.slices).map(\.tokens) == [[1], [3]])
    }

    @Test mutating func `impossible requests are refused with what is possible`() {
        _ = open()
        func refusal(_ request: GenerationRequest) -> [Scheduler.Effect] {
            var copy = scheduler
            return copy.handle(.submitted(Ticket(1), .generation(request)), at: .zero)
        }
        #expect(
            refusal(.prompt([Int32](repeating: 1, count: 1000), maximum: 25)) == [
                .failed(
                    Ticket(1),
                    .contextExceeded(promptTokenCount: 1000, maximumTokenCount: 25, contextLength: 1024))
            ])
        #expect(
            refusal(.prompt([Int32](repeating: 1, count: 1000), maximum: 24)).allSatisfy {
                if case .send = $0 { true } else { false }
            })
        #expect(
            refusal(.prompt([1], maximum: .max)) == [
                .failed(
                    Ticket(1), .contextExceeded(promptTokenCount: 1, maximumTokenCount: .max, contextLength: 1024))
            ])
        #expect(
            refusal(.prompt([])) == [.failed(Ticket(1), .invalidRequest("the prompt has no tokens; give at least one"))]
        )
        #expect(
            refusal(.prompt([5, 100])) == [
                .failed(
                    Ticket(1),
                    .invalidRequest("token 100 at position 1 is not in the vocabulary; ids go from 0 to 99"))
            ])
        #expect(
            refusal(.prompt([5], maximum: 0)) == [
                .failed(Ticket(1), .invalidRequest("max_tokens is 0; give at least 1"))
            ])
        var hot = GenerationRequest.prompt([5])
        hot.sampling.temperature = .nan
        #expect(refusal(hot) == [.failed(Ticket(1), .invalidRequest("temperature is nan; give 0 to 100"))])
    }

    @Test mutating func `a cancelled request takes no more steps and its late results change nothing`() throws {
        var configuration = scheduler.configuration
        configuration.reusesPrefixes = false
        scheduler = Scheduler(configuration: configuration)
        _ = open()
        let request = GenerationRequest.prompt([Int32](repeating: 1, count: 500))
        var queue = steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero))
        let sequence = try #require(queue.first?.slices.first).sequence
        #expect(scheduler.handle(.cancelled(Ticket(1)), at: .zero) == [])
        #expect(scheduler.reservedTokenCount == 0)
        var last: [Scheduler.Effect] = []
        while !queue.isEmpty { last = scheduler.handle(.result(Self.answer(queue.removeFirst())), at: .zero) }
        #expect(steps(last).map(\.released) == [[sequence]])
        #expect(steps(last).map(\.slices) == [[]])
    }

    @Test mutating func `a text is scored in chunks whose targets reach over their ends`() throws {
        _ = open()
        let tokens: [Int32] = [10, 11, 12, 13, 14, 15, 16]
        let request = ScoringRequest(tokens: tokens, topCount: 2, chunk: 3)
        let sent = steps(scheduler.handle(.submitted(Ticket(1), .scoring(request)), at: .zero))
        #expect(sent.map { $0.slices.map(\.tokens) } == [[[10, 11, 12]], [[13, 14, 15]], [[16]]])
        #expect(
            sent.flatMap { $0.slices.map(\.output) } == [
                .score(targets: [11, 12, 13], topCount: 2), .score(targets: [14, 15, 16], topCount: 2),
                .score(targets: [], topCount: 2),
            ])
        #expect(scheduler.handle(.result(Self.answer(sent[0])), at: .zero) == [])
        #expect(scheduler.handle(.result(Self.answer(sent[1])), at: .zero) == [])
        let effects = scheduler.handle(.result(Self.answer(sent[2])), at: .zero)
        guard case .scored(Ticket(1), let text)? = effects.first else {
            Issue.record("not scored: \(effects)")
            return
        }
        #expect(text.nextLogProbabilities == [-11, -12, -13, -14, -15, -16])
        #expect(text.top.map { $0.map(\.token) } == tokens.map { [$0, $0] })
        #expect(text.logitsDigest == [UInt8](repeating: 6, count: 32))
        #expect(scheduler.reservedTokenCount == 0)
    }

    static let lost = "worker b: silent for 2.0 s"

    @Test mutating func `a pipeline that goes ends no request: all run in the next one, those that had begun first`() {
        _ = open()
        for number in 1...4 {
            _ = scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(.prompt([Int32(number)]))), at: .zero)
        }
        #expect(scheduler.handle(.closed(because: Self.lost), at: .zero) == [])
        #expect(scheduler.queuedRequestCount == 4)
        #expect(scheduler.interruptedRequestCount == 2)
        #expect(scheduler.isInterrupted)
        #expect(scheduler.reservedTokenCount == 0)
        let limit = GenerationError.queueFull(limit: 2, retryAfterSeconds: 1)
        #expect(
            scheduler.handle(.submitted(Ticket(5), .generation(.prompt([1]))), at: .zero) == [.failed(Ticket(5), limit)]
        )
        let reopened = steps(scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 2048), at: .seconds(9)))
        #expect(reopened.map(\.id) == [StepID(1)])
        #expect(reopened.flatMap { $0.slices.map(\.tokens) } == [[0], [1], [2]])
        #expect(reopened.allSatisfy { $0.released.isEmpty })
        #expect(!scheduler.isInterrupted)
    }

    @Test mutating func `before the first pipeline nothing is taken`() {
        #expect(
            scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)
                == [.failed(Ticket(1), .unavailable("no pipeline is ready"))])
        // One that never served is no loss.
        #expect(scheduler.handle(.closed(because: Self.lost), at: .zero) == [])
        #expect(!scheduler.isInterrupted)
    }

    @Test mutating func `a request goes on behind its committed tokens, which are sent like a prompt`() throws {
        _ = open()
        let request = GenerationRequest.prompt([1, 2, 3], maximum: 5)
        var step = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero)).first)
        for token in [Int32(40), 41] {
            let effects = scheduler.handle(.result(Self.answer(step, token: token)), at: .zero)
            #expect(effects.first == .token(Ticket(1), TokenChoice(token: token)))
            step = try #require(steps(effects).first)
        }
        let late = Self.answer(step, token: 42)
        #expect(scheduler.handle(.closed(because: Self.lost), at: .seconds(1)) == [])
        let reopened = steps(scheduler.handle(.opened(stageCount: 1, keyValueTokenCapacity: 2048), at: .seconds(2)))
        // It rides along with the probe.
        let first = try #require(reopened.first)
        let slice = try #require(first.slices.last)
        #expect(slice.startPosition == 0)
        #expect(slice.tokens == [1, 2, 3, 40, 41])
        // What it had sampled is no prompt to penalties.
        #expect(slice.output == .sample(request.sampling, promptLength: 3))
        #expect(slice.sequence != step.slices[0].sequence)
        // A late result of the pipeline before is no answer to anything here.
        let stale = scheduler.handle(.result(late), at: .seconds(2))
        #expect(stale == [.unexpectedResult(late.id)])
        let next = scheduler.handle(.result(Self.answer(first, token: 42)), at: .seconds(3))
        #expect(next.first == .token(Ticket(1), TokenChoice(token: 42)))
        let decode = try #require(steps(next).first)
        #expect(decode.slices.map(\.tokens) == [[42]])
        #expect(decode.slices.map(\.startPosition) == [5])
        let after = scheduler.handle(.result(Self.answer(decode, token: 43)), at: .seconds(3))
        let last = try #require(steps(after).first)
        let end = scheduler.handle(.result(Self.answer(last, token: 44)), at: .seconds(3))
        #expect(end.prefix(2) == [.token(Ticket(1), TokenChoice(token: 44)), .finished(Ticket(1), .length)])
        #expect(scheduler.reservedTokenCount == 0)
    }

    @Test mutating func `a text that was half scored is scored from its start`() throws {
        _ = open()
        let work = Work.scoring(ScoringRequest(tokens: [1, 2, 3, 4], topCount: 0, chunk: 2))
        let first = try #require(steps(scheduler.handle(.submitted(Ticket(1), work), at: .zero)).first)
        _ = scheduler.handle(.result(Self.answer(first)), at: .zero)
        _ = scheduler.handle(.closed(because: Self.lost), at: .zero)
        var reopened = steps(scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 2048), at: .zero))
        #expect(reopened.flatMap { $0.slices.map(\.tokens) } == [[0], [1, 2], [3, 4]])
        var effects: [Scheduler.Effect] = []
        while !reopened.isEmpty { effects += scheduler.handle(.result(Self.answer(reopened.removeFirst())), at: .zero) }
        guard
            case .scored(Ticket(1), let text)? = effects.first(where: { if case .scored = $0 { true } else { false } })
        else {
            Issue.record("not scored: \(effects)")
            return
        }
        #expect(text.nextLogProbabilities == [-2, -3, -4])
    }

    @Test mutating func `a request that is lost too often ends, one that no stage has seen does not count it`() throws {
        scheduler = Scheduler(
            configuration: SchedulerConfiguration(contextLength: 1024, vocabularySize: 100, rebuildLimit: 2))
        _ = open()
        _ = scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)
        for _ in 1...2 {
            #expect(scheduler.handle(.closed(because: Self.lost), at: .zero) == [])
            // Nor do pipelines that never served.
            for _ in 1...5 { #expect(scheduler.handle(.closed(because: Self.lost), at: .zero) == []) }
            _ = scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 2048), at: .zero)
        }
        #expect(
            scheduler.handle(.closed(because: Self.lost), at: .zero)
                == [.failed(Ticket(1), .lostTooOften(count: 3, reason: Self.lost))])
        #expect(scheduler.queuedRequestCount == 0)
    }

    @Test mutating func `a request that was admitted but not sent comes behind those that had begun`() {
        _ = open(stageCount: 1)
        let long = [Int32](repeating: 1, count: 128)
        // Two steps of 64 rows fill the pipeline of one stage.
        _ = scheduler.handle(.submitted(Ticket(1), .generation(.prompt(long))), at: .zero)
        for number in 2...4 {
            _ = scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(.prompt([Int32(number)]))), at: .zero)
        }
        #expect(scheduler.runningRequestCount == 2)
        #expect(scheduler.handle(.closed(because: Self.lost), at: .zero) == [])
        #expect(scheduler.interruptedRequestCount == 1)
        var sent: [[Int32]] = []
        var pending = steps(scheduler.handle(.opened(stageCount: 1, keyValueTokenCapacity: 2048), at: .seconds(9)))
        while sent.count < 5, !pending.isEmpty {
            let step = pending.removeFirst()
            sent += step.slices.map(\.tokens)
            pending += steps(scheduler.handle(.result(Self.answer(step)), at: .seconds(9)))
        }
        #expect(sent.prefix(5) == [[0], Array(long.prefix(63)), Array(long.prefix(64)), [1], [2]])
    }

    @Test mutating func `requests that wait end when there is no placement for the outage limit`() {
        _ = open()
        for number in 1...3 {
            _ = scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(.prompt([1]))), at: .zero)
        }
        _ = scheduler.handle(.closed(because: Self.lost), at: .seconds(1))
        // The time in which another one is loaded is not counted, and it does not start the time anew.
        _ = scheduler.handle(.loading, at: .seconds(11))
        #expect(scheduler.nextDeadline == nil)
        #expect(scheduler.handle(.closed(because: Self.lost), at: .seconds(100)).isEmpty)
        #expect(scheduler.nextDeadline == .seconds(150))
        #expect(scheduler.handle(.tick, at: .seconds(149.9)).isEmpty)
        #expect(
            scheduler.handle(.tick, at: .seconds(150))
                == (1...3).map { .outwaited(Ticket($0), limit: .seconds(60)) })
        #expect(scheduler.nextDeadline == nil)
    }

    @Test mutating func `a request that is cancelled during an outage is forgotten`() {
        _ = open()
        _ = scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)
        _ = scheduler.handle(.closed(because: Self.lost), at: .zero)
        #expect(scheduler.handle(.cancelled(Ticket(1)), at: .zero) == [])
        #expect(scheduler.queuedRequestCount == 0)
        let reopened = steps(scheduler.handle(.opened(stageCount: 3, keyValueTokenCapacity: 2048), at: .zero))
        #expect(reopened.flatMap { $0.slices.map(\.tokens) } == [[0]])
    }

    @Test mutating func `a request that waits and does not fit the next pipeline is told so`() {
        _ = open()
        for number in 1...2 {
            _ = scheduler.handle(.submitted(Ticket(UInt64(number)), .generation(.prompt([1]))), at: .zero)
        }
        let long = [Int32](repeating: 1, count: 600)
        _ = scheduler.handle(.submitted(Ticket(3), .generation(.prompt(long))), at: .zero)
        _ = scheduler.handle(.closed(because: Self.lost), at: .zero)
        #expect(
            open(keyValueTokenCapacity: 512).contains(
                .failed(
                    Ticket(3),
                    .contextExceeded(promptTokenCount: 600, maximumTokenCount: 4, contextLength: 512))))
    }

    @Test mutating func `a failed step ends its own requests only`() throws {
        _ = open()
        let first = try #require(
            steps(scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)).first)
        let second = try #require(
            steps(scheduler.handle(.submitted(Ticket(2), .generation(.prompt([2]))), at: .zero)).first)
        let error = GenerationError.workerFailed(node: "b", reason: "no memory")
        #expect(
            scheduler.handle(.stepFailed(first.id, error, isRetryable: false), at: .zero) == [.failed(Ticket(1), error)]
        )
        let effects = scheduler.handle(.result(Self.answer(second)), at: .zero)
        #expect(effects.first == .token(Ticket(2), TokenChoice(token: 42)))
        #expect(steps(effects).first?.released == first.released + [first.slices[0].sequence])
    }

    @Test mutating func `the requests of a failed step begin anew if that can help, ahead of those that wait`() throws {
        _ = open(stageCount: 1)
        let request = GenerationRequest.prompt([1, 2], maximum: 5)
        let first = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero)).first)
        let second = try #require(steps(scheduler.handle(.result(Self.answer(first)), at: .zero)).first)
        _ = scheduler.handle(.submitted(Ticket(2), .generation(.prompt([7]))), at: .zero)
        _ = scheduler.handle(.submitted(Ticket(3), .generation(.prompt([8]))), at: .zero)
        let error = GenerationError.workerFailed(node: "b", reason: "no memory")
        let effects = scheduler.handle(.stepFailed(second.id, error, isRetryable: true), at: .zero)
        let again = try #require(steps(effects).first)
        #expect(effects == [.send(again)])
        #expect(again.slices.map(\.tokens) == [[1, 2, 42]])
        #expect(again.slices.map(\.startPosition) == [0])
        #expect(again.released == [second.slices[0].sequence])
        #expect(scheduler.queuedRequestCount == 1)
    }

    @Test mutating func `what a step without rows gave back is given back again in the next one with rows`() throws {
        _ = open()
        let first = try #require(
            steps(scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1], maximum: 1))), at: .zero)).first)
        let alone = steps(scheduler.handle(.result(Self.answer(first)), at: .zero))
        #expect(alone.map(\.released) == [[first.slices[0].sequence]])
        // Whether it failed, was answered, or got lost with a connection.
        let error = GenerationError.workerFailed(node: "b", reason: "no memory")
        #expect(scheduler.handle(.stepFailed(alone[0].id, error, isRetryable: false), at: .zero) == [])
        let next = try #require(
            steps(scheduler.handle(.submitted(Ticket(2), .generation(.prompt([2]))), at: .zero)).first)
        #expect(next.released == [first.slices[0].sequence])
        let third = try #require(steps(scheduler.handle(.result(Self.answer(next)), at: .zero)).first)
        #expect(third.released == [])
    }

    @Test mutating func `a step that fails behind one without an answer shows that this one got lost`() throws {
        _ = open()
        let long = GenerationRequest.prompt([Int32](repeating: 1, count: 130))
        let chunks = steps(scheduler.handle(.submitted(Ticket(1), .generation(long)), at: .zero))
        #expect(chunks.count == 3)
        let error = GenerationError.workerFailed(node: "b", reason: "a slice begins at position 64, but 0 are cached")
        let effects = scheduler.handle(.stepFailed(chunks[1].id, error, isRetryable: true), at: .zero)
        #expect(effects == [.lost(chunks[0].id)])
    }

    @Test mutating func `a step that a later one overtakes counts as lost if nobody says that it failed`() throws {
        _ = open()
        let first = try #require(
            steps(scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)).first)
        let second = try #require(
            steps(scheduler.handle(.submitted(Ticket(2), .generation(.prompt([2]))), at: .zero)).first)
        let third = try #require(steps(scheduler.handle(.result(Self.answer(second)), at: .seconds(1))).first)
        #expect(scheduler.nextDeadline == .seconds(3))
        // Others go on meanwhile, and do not keep it from being found out.
        _ = scheduler.handle(.result(Self.answer(third)), at: .seconds(2.5))
        #expect(scheduler.handle(.tick, at: .seconds(3)) == [.lost(first.id)])
    }

    @Test mutating func `a later step's result may come before the news that an earlier one failed`() throws {
        _ = open()
        let first = try #require(
            steps(scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)).first)
        let second = try #require(
            steps(scheduler.handle(.submitted(Ticket(2), .generation(.prompt([2], maximum: 1))), at: .zero)).first)
        let effects = scheduler.handle(.result(Self.answer(second)), at: .zero)
        #expect(effects.contains(.finished(Ticket(2), .length)))
        let error = GenerationError.workerFailed(node: "b", reason: "no memory")
        #expect(
            scheduler.handle(.stepFailed(first.id, error, isRetryable: false), at: .zero).contains(
                .failed(Ticket(1), error)))
    }

    @Test mutating func `a step without a result stalls the pipeline at the time-out, a large one later`() {
        _ = open()
        _ = scheduler.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .seconds(100))
        #expect(scheduler.nextDeadline == .seconds(130))
        #expect(scheduler.handle(.tick, at: .seconds(129)) == [])
        #expect(scheduler.handle(.tick, at: .seconds(130)) == [.stalled(StepID(3), after: .seconds(30))])

        var large = Scheduler(configuration: SchedulerConfiguration(contextLength: 1024, vocabularySize: 100))
        _ = large.handle(.opened(stageCount: 1, keyValueTokenCapacity: 2048), at: .zero)
        _ = large.handle(
            .result(
                StepResult(
                    id: StepID(1),
                    slices: [SliceResult(sequence: SequenceID(1), output: .sampled(TokenChoice(token: 1)))])), at: .zero
        )
        let request = GenerationRequest.prompt([Int32](repeating: 1, count: 512))
        _ = large.handle(.submitted(Ticket(1), .generation(request)), at: .seconds(10))
        #expect(large.nextDeadline == .seconds(100))
    }

    @Test mutating func `a result without a step is reported, one that does not fit its step breaks the pipeline`()
        throws
    {
        _ = open()
        let request = GenerationRequest.prompt([1])
        let step = try #require(steps(scheduler.handle(.submitted(Ticket(1), .generation(request)), at: .zero)).first)
        let sequence = step.slices[0].sequence
        let foreign = StepResult(id: StepID(99), slices: [SliceResult(sequence: sequence, output: .none)])
        #expect(scheduler.handle(.result(foreign), at: .zero) == [.unexpectedResult(StepID(99))])
        let wrong: [[SliceResult]] = [
            [],
            [SliceResult(sequence: SequenceID(77), output: .sampled(TokenChoice(token: 1)))],
            [SliceResult(sequence: sequence, output: .none)],
            [SliceResult(sequence: sequence, output: .sampled(TokenChoice(token: 100)))],
            [SliceResult(sequence: sequence, output: .sampled(TokenChoice(token: -1)))],
        ]
        for slices in wrong {
            let effects = scheduler.handle(.result(StepResult(id: step.id, slices: slices)), at: .zero)
            #expect(effects.count == 1)
            guard case .brokenResult(step.id, _)? = effects.first else {
                Issue.record("taken: \(slices)")
                continue
            }
        }
        #expect(
            scheduler.handle(.result(Self.answer(step)), at: .zero).first == .token(Ticket(1), TokenChoice(token: 42)))
    }
}
