import Testing
import Transport

@testable import ClusterCore

/// A coordinator's cores for two replicas of one worker each: a on connection 1, b on connection 2, c and d beyond.
struct CoordinatorCoreReplicasTests {
    typealias Effects = [CoordinatorCore<Int>.Effect]

    var core: CoordinatorCore<Int>
    private let nodes = [a, b, c, d]

    init() throws { core = try Self.core() }

    private static func core(
        _ selection: WorkerSelection = .count(1), replicas: Int = 2, running: Int = 1, queueLimit: Int = 64
    ) throws -> CoordinatorCore<Int> {
        var configuration = CoordinationConfiguration(
            clusterID: "test", modelName: "tiny", dataEndpoint: "tcp://head:1",
            heartbeatInterval: .milliseconds(250), membership: MembershipConfiguration(),
            placement: try PlacementTests.configuration(selection),
            scheduler: SchedulerConfiguration(
                contextLength: 512, vocabularySize: 100, maximumRunningCount: running, queueLimit: queueLimit,
                maximumStepRowCount: 128))
        configuration.replicaCount = replicas
        return try CoordinatorCore(configuration: configuration)
    }

    @discardableResult
    mutating func hear(_ node: NodeID, _ body: Envelope.Body, epoch: UInt64 = 0, at now: Instant = .zero) -> Effects {
        let envelope = Envelope(clusterID: "test", epoch: Epoch(epoch), sender: node, body: body)
        return core.handle(.control(envelope, from: (nodes.firstIndex(of: node) ?? 9) + 1), at: now)
    }

    mutating func join(_ joining: [NodeID], at now: Instant = .zero) -> Effects {
        joining.flatMap { hear($0, .hello(.from($0)), at: now) }
    }

    /// All that has been placed is loaded, and the first token comes back from each replica.
    @discardableResult
    mutating func serve(at now: Instant = .zero) -> Effects {
        var effects: Effects = []
        for index in core.replicas.indices {
            guard let pipeline = core.replicas[index].placement.pipeline, !core.replicas[index].placement.isServing
            else { continue }
            for node in pipeline.nodes {
                effects += hear(node, .ready(PlacementTests.loaded), epoch: pipeline.epoch.number, at: now)
            }
        }
        return effects + answer(effects, at: now)
    }

    /// What was sent: for each step with rows, the epoch of its replica.
    func sent(_ effects: Effects) -> [(epoch: Epoch, step: Step)] {
        effects.compactMap { effect in
            guard case .sendStep(let envelope, let step, _) = effect, !step.slices.isEmpty else { return nil }
            return (envelope.epoch, step)
        }
    }

    /// Each step is answered with the token that follows all that its sequence has, as a model would.
    @discardableResult
    mutating func answer(_ effects: Effects, at now: Instant = .zero) -> Effects {
        sent(effects).flatMap { epoch, step -> Effects in
            guard let replica = core.servingReplica(of: epoch),
                let pipeline = core.replicas[replica].placement.pipeline
            else { return [] }
            let scheduler = core.replicas[replica].scheduler
            let slices = step.slices.map { slice -> SliceResult in
                guard case .sample = slice.output else { return SliceResult(sequence: slice.sequence, output: .none) }
                let tokens = scheduler.running.first { $0.id == slice.sequence }?.request.tokens ?? []
                let token = SimulatedPipeline.next(after: tokens, vocabularySize: 100)
                return SliceResult(sequence: slice.sequence, output: .sampled(TokenChoice(token: token)))
            }
            let result = Envelope.Body.stepResult(StepResult(id: step.id, slices: slices))
            return core.handle(
                .data(Envelope(clusterID: "test", epoch: epoch, sender: pipeline.answering, body: result)), at: now)
        }
    }

    /// Answers until nothing is sent any more.
    mutating func finish(_ effects: Effects, at now: Instant = .zero) -> Effects {
        var (all, latest) = (effects, effects)
        while !sent(latest).isEmpty {
            latest = answer(latest, at: now)
            all += latest
        }
        return all
    }

    mutating func submit(_ ticket: UInt64, _ tokens: [Int32] = [1, 2, 3], maximum: Int = 4, at now: Instant = .zero)
        -> Effects
    {
        core.handle(.submitted(Ticket(ticket), .generation(.prompt(tokens, maximum: maximum))), at: now)
    }

    func tokens(_ effects: Effects, of ticket: UInt64) -> [Int32] {
        effects.compactMap { effect in
            if case .token(Ticket(ticket), let choice) = effect { choice.token } else { nil }
        }
    }

    /// The tokens that a prompt has to get.
    private static func expected(_ prompt: [Int32], count: Int) -> [Int32] {
        var tokens = prompt
        for _ in 0..<count { tokens.append(SimulatedPipeline.next(after: tokens, vocabularySize: 100)) }
        return Array(tokens.dropFirst(prompt.count))
    }

    private func failures(_ effects: Effects) -> [GenerationError] {
        effects.compactMap { if case .failed(_, let error) = $0 { error } else { nil } }
    }

    @Test mutating func `each replica has an epoch of its own, and links to the other one stay`() throws {
        let effects = join([a, b])
        #expect(core.replicas.map { $0.placement.pipeline?.epoch } == [Epoch(7), Epoch(8)])
        let connects = effects.compactMap { effect -> (Peer?, [NodeID])? in
            if case .connect(let peers, let kept) = effect { (peers.first, kept) } else { nil }
        }
        #expect(connects.map(\.0?.node) == [a, b] && connects.map(\.1) == [[], [a]])
        #expect(!core.readiness(at: .zero).isReady)
        serve()
        #expect(core.health(at: .zero).state == .healthy)
        #expect(core.health(at: .zero).nodes.map(\.replica) == [0, 1])
        #expect(core.health(at: .zero).replicas.map(\.state) == [.serving, .serving])
    }

    @Test mutating func `requests run on both replicas at a time, and wait where neither has room`() throws {
        _ = join([a, b])
        serve()
        let first = submit(1), second = submit(2)
        #expect(sent(first).map(\.epoch) == [Epoch(7)] && sent(second).map(\.epoch) == [Epoch(8)])
        #expect(sent(submit(3) + submit(4) + submit(5)).isEmpty)
        #expect(core.replicas.map(\.scheduler.queuedRequestCount) == [2, 1])
        // The second replica answers its own, and then what waits at the other one.
        let later = finish(second)
        #expect((1...5).map { tokens(later, of: $0).count } == [0, 4, 4, 4, 4])
        #expect(tokens(later, of: 5) == Self.expected([1, 2, 3], count: 4))
        #expect(tokens(finish(first), of: 1).count == 4)
    }

    @Test mutating func `the limit of the queue holds for both replicas together`() throws {
        core = try Self.core(queueLimit: 2)
        _ = join([a, b])
        serve()
        for ticket in 1...4 { #expect(failures(submit(UInt64(ticket))).isEmpty) }
        #expect(core.health(at: .zero).queuedRequestCount == 2)
        guard case .queueFull(limit: 2, _)? = failures(submit(5)).first else {
            Issue.record("a fifth request was let in")
            return
        }
    }

    @Test mutating func `requests of a replica that is lost go on at the other one at once, with the same tokens`()
        throws
    {
        core = try Self.core(running: 4)
        _ = join([a, b])
        serve()
        let first = submit(1, [1, 2, 3], maximum: 6), second = submit(2, [4, 5], maximum: 6)
        // Each has two tokens when the first replica's worker goes.
        let one = answer(first), two = answer(second)
        let begun = one + two + answer(one)
        let open = answer(two)
        #expect(tokens(begun, of: 1).count == 2 && tokens(begun + open, of: 2).count == 2)
        let lost = hear(a, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        #expect(sent(lost).map(\.epoch) == [Epoch(8)])
        #expect(lost.contains(.notice(.requestsMoved(count: 1, from: 0))))
        #expect(core.replicas.map(\.scheduler.openRequestCount) == [0, 2])
        let rest = finish(open + lost, at: .seconds(1))
        #expect(tokens(begun + rest, of: 1) == Self.expected([1, 2, 3], count: 6))
        #expect(tokens(begun + rest, of: 2) == Self.expected([4, 5], count: 6))
        // New ones are taken all the same, and what is down is named.
        #expect(tokens(finish(submit(3), at: .seconds(1)), of: 3).count == 4)
        let health = core.health(at: .seconds(1))
        #expect(health.state == .degraded && health.reason.hasPrefix("replica 0: down: waiting for 1 of 1 workers"))
        #expect(core.readiness(at: .seconds(1)).isReady)
    }

    @Test mutating func `a request that waits goes to the replica that has come back`() throws {
        _ = join([a])
        serve()
        let first = submit(1)
        #expect(sent(submit(2)).isEmpty)
        _ = join([b])
        let epoch = try #require(core.replicas[1].placement.pipeline?.epoch)
        let opened = hear(b, .ready(PlacementTests.loaded), epoch: epoch.number)
        #expect(core.replicas.map(\.scheduler.openRequestCount) == [1, 1])
        #expect(tokens(finish(opened), of: 2) == Self.expected([1, 2, 3], count: 4))
        #expect(tokens(finish(first), of: 1).count == 4)
    }

    @Test mutating func `without any replica requests wait for the one that is loaded first`() throws {
        _ = join([a, b])
        serve()
        _ = submit(1)
        _ = hear(b, .leave(Leave(reason: "SIGTERM")), at: .seconds(100))
        _ = hear(a, .leave(Leave(reason: "SIGTERM")), at: .seconds(100))
        #expect(core.health(at: .seconds(100)).state == .recovering)
        #expect(core.nextDeadline == .seconds(160))
        // c takes the first place; what waits elsewhere waits there now, for as long as it loads.
        _ = join([c], at: .seconds(150))
        #expect(core.replicas.map(\.scheduler.openRequestCount) == [1, 0])
        #expect(failures(submit(2, at: .seconds(150))).isEmpty)
        #expect(failures(core.handle(.tick, at: .seconds(300))).isEmpty)
    }

    @Test mutating func `an outage is counted from when the last replica went`() throws {
        _ = join([a, b])
        serve()
        _ = hear(a, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        _ = submit(1, at: .seconds(500))
        _ = hear(b, .leave(Leave(reason: "SIGTERM")), at: .seconds(500))
        #expect(failures(core.handle(.tick, at: .seconds(559))).isEmpty)
        let late = failures(core.handle(.tick, at: .seconds(560)))
        #expect(late.count == 1 && late.first?.description.contains("replica 1: waiting for 1 of 1 workers") == true)
    }

    @Test mutating func `a replica that fails again and again gets no new requests, until a token has passed`() throws {
        core = try Self.core(running: 4)
        _ = join([a, b])
        serve()
        var effects = submit(1, maximum: 100)
        var notices: Effects = []
        for second in 1...3 {
            let step = try #require(sent(effects).last?.step)
            let failure = WorkerFailure(kind: .step(step.id), message: "no memory", isRetryable: true)
            effects = hear(a, .failure(failure), epoch: 7, at: .seconds(Double(second)))
            notices += effects
        }
        #expect(notices.contains(.notice(.breakerOpened(replica: 0, backOff: .seconds(5)))))
        #expect(core.health(at: .seconds(3)).replicas.map(\.breaker) == [.open, .closed])
        #expect(core.health(at: .seconds(3)).state == .degraded)
        for ticket in 2...4 {
            #expect(sent(submit(UInt64(ticket), at: .seconds(3))).allSatisfy { $0.epoch == Epoch(8) })
        }
        #expect(core.replicas.map(\.scheduler.openRequestCount) == [1, 3])
        for node in [a, b] { hear(node, .heartbeat(.number(1)), at: .seconds(7.5)) }
        _ = core.handle(.tick, at: .seconds(8))
        #expect(core.health(at: .seconds(8)).replicas[0].breaker == .halfOpen)
        #expect(answer(effects, at: .seconds(8)).contains(.notice(.breakerClosed(replica: 0))))
    }

    @Test mutating func `what a client sent does not open a breaker`() throws {
        _ = join([a, b])
        serve()
        for ticket in 1...6 {
            let step = try #require(sent(submit(UInt64(ticket))).first?.step)
            let failure = WorkerFailure(kind: .step(step.id), message: "no such token", isRetryable: false)
            let ended = hear(a, .failure(failure), epoch: 7)
            #expect(failures(ended).count == 1)
        }
        #expect(core.health(at: .zero).replicas.map(\.breaker) == [.closed, .closed])
    }

    @Test mutating func `open breakers do not make a dead cluster`() throws {
        core = try Self.core(replicas: 1)
        _ = join([a])
        serve()
        var effects = submit(1)
        for second in 1...3 {
            let step = try #require(sent(effects).last?.step)
            let failure = WorkerFailure(kind: .step(step.id), message: "no memory", isRetryable: true)
            effects = hear(a, .failure(failure), epoch: 7, at: .seconds(Double(second)))
        }
        #expect(core.health(at: .seconds(3)).replicas.map(\.breaker) == [.open])
        _ = submit(9, at: .seconds(3))
        #expect(tokens(finish(effects, at: .seconds(3)), of: 9).count == 4)
    }

    @Test mutating func `what is left of two broken replicas makes one, and whoever returns the other`() throws {
        core = try Self.core(.count(2))
        _ = join([a, b, c, d])
        serve()
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a, b], [c, d]])
        _ = hear(a, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        #expect(!core.replicas[0].placement.isServing && core.replicas[1].placement.isServing)
        let effects = hear(c, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        #expect(effects.contains(.notice(.workerMoved(d, from: 1, to: 0))))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes.sorted() } == [[b, d], nil])
        serve(at: .seconds(1))
        #expect(core.isServing)
        _ = join([a, c], at: .seconds(2))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes.sorted() } == [[b, d], [a, c]])
    }

    @Test mutating func `a drain takes the spare of another replica`() throws {
        _ = join([a, b, c])
        serve()
        #expect(core.health(at: .zero).nodes.map(\.replica) == [0, 1, 0])
        #expect(core.refusal(of: .drain(b, isForced: false), at: .zero) == nil)
        let effects = core.handle(.operation(.drain(b, isForced: false)), at: .zero)
        #expect(effects.contains(.notice(.workerMoved(c, from: 0, to: 1))))
        // It takes over once it has loaded the part.
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [b]])
        var part: UInt64 = 0
        for case .answer(let envelope, 3) in effects {
            if case .standby(let assignment) = envelope.body { part = assignment.partDigest }
        }
        var heartbeat = Heartbeat.number(1)
        heartbeat.heldPart = part
        hear(c, .heartbeat(heartbeat))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [c]])
        // Without a spare the other replica goes on, and takes the requests.
        serve()
        #expect(core.refusal(of: .drain(a, isForced: false), at: .zero) == nil)
        _ = core.handle(.operation(.drain(a, isForced: false)), at: .zero)
        #expect(core.drained == [a, b])
        #expect(core.refusal(of: .drain(c, isForced: false), at: .zero) != nil)
        _ = core.handle(.operation(.resume(a)), at: .zero)
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [c]])
    }

    @Test mutating func `a result of one replica's epoch is taken from its own workers only`() throws {
        _ = join([a, b])
        serve()
        let step = try #require(sent(submit(1)).first?.step)
        let result = Envelope.Body.stepResult(StepResult(id: step.id, slices: []))
        let effects = core.handle(
            .data(Envelope(clusterID: "test", epoch: Epoch(7), sender: b, body: result)), at: .zero)
        #expect(effects.isEmpty && core.drops.count(.unexpectedMessage) == 1)
        hear(b, .ready(PlacementTests.loaded), epoch: 7)
        #expect(core.drops.count(.olderEpoch) == 1)
    }

    @Test mutating func `shutting down waits for the requests of all replicas`() throws {
        _ = join([a, b])
        serve()
        let first = submit(1), second = submit(2)
        _ = core.handle(.operation(.shutDown), at: .zero)
        _ = finish(first)
        #expect(core.isServing)
        let last = finish(second)
        #expect(
            last.contains { if case .answer(let envelope, _) = $0, case .leave = envelope.body { true } else { false } }
        )
        #expect(!core.isServing)
    }

    @Test mutating func `requests of a coordinator before this one go on at the replica that serves first`() throws {
        let work = Work.generation(.prompt([1, 2, 3], maximum: 4))
        let committed = Array(Self.expected([1, 2, 3], count: 2))
        _ = core.handle(.restored(Ticket(1), work, committed: committed), at: .zero)
        _ = join([a, b])
        // The second replica is ready, the first one not.
        let epoch = try #require(core.replicas[1].placement.pipeline?.epoch)
        let opened = hear(b, .ready(PlacementTests.loaded), epoch: epoch.number)
        #expect(tokens(finish(opened), of: 1) == Array(Self.expected([1, 2, 3], count: 4).suffix(2)))
    }

    // MARK: Planned replicas

    private mutating func plan(
        _ workers: WorkerSelection, _ objective: PlanObjective, measuresLinks: Bool = false
    ) throws {
        var configuration = core.configuration
        configuration.measuresLinks = measuresLinks
        configuration.replicaCount = 1
        configuration.placement.selection = workers
        configuration.placement.planning = PlacementPlanning(
            model: PlannedPlacementTests.costs, objective: objective, concurrency: 8)
        core = try CoordinatorCore(configuration: configuration)
    }

    private mutating func report(_ node: NodeID) -> Effects {
        let kernels = KernelRates(bytesPerSecond: 1e10, multiplyAddsPerSecond: 1e11)
        let rates = NodeRates(
            ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: 2, taskSeconds: 1e-6,
            layerSeconds: 5e-6, hostBytesPerSecond: 8e10,
            hostCoreCount: 64, memoryFreeByteCount: 1 << 34)
        return hear(node, .measurementReport(MeasurementReport(number: 0, result: .node(rates))))
    }

    @Test mutating func `for throughput it is planned how many replicas there are, once all are measured`() throws {
        try plan(.count(2), .throughput)
        _ = join([a, b])
        #expect(!report(a).contains { if case .connect = $0 { true } else { false } })
        #expect(core.replicas.count == 1 && core.replicas[0].placement.pipeline == nil)
        let effects = report(b)
        #expect(effects.contains(.notice(.replicasPlanned([[a], [b]]))))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [b]])
        serve()
        #expect(core.health(at: .zero).state == .healthy)
        // A worker beyond those is a spare, of whichever replica needs one.
        _ = join([c])
        _ = report(c)
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [b]])
        _ = hear(b, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [c]])
    }

    @Test mutating func `a worker that was drained before replicas were planned is planned in when it is resumed`()
        throws
    {
        try plan(.count(2), .throughput)
        _ = join([a, b])
        _ = core.handle(.operation(.drain(b, isForced: true)), at: .zero)
        for node in [a, b] { _ = report(node) }
        #expect(core.replicas.allSatisfy { $0.placement.pipeline == nil })
        _ = core.handle(.operation(.resume(b)), at: .seconds(1))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [b]])
    }

    @Test mutating func `for latency there is one replica, whatever is there`() throws {
        try plan(.count(3), .latency)
        _ = join([a, b, c])
        for node in [a, b, c] { _ = report(node) }
        #expect(core.replicas.count == 1 && core.replicas[0].placement.pipeline != nil)
    }

    @Test mutating func `after a restart with open requests it is planned for those that are there, after a while`()
        throws
    {
        try plan(.count(3), .throughput)
        let work = Work.generation(.prompt([1, 2, 3], maximum: 4))
        _ = core.handle(.restored(Ticket(1), work, committed: [7]), at: .zero)
        _ = join([a, b])
        for node in [a, b] { _ = report(node) }
        #expect(core.replicas[0].placement.pipeline == nil)
        for node in [a, b] { hear(node, .heartbeat(.number(1)), at: .seconds(4.9)) }
        let deadline = try #require(core.nextDeadline)
        #expect(deadline <= .seconds(5))
        _ = core.handle(.tick, at: .seconds(5))
        #expect(core.replicas.map { $0.placement.pipeline?.nodes } == [[a], [b]])
        let served = serve(at: .seconds(5))
        #expect(!sent(served).isEmpty && core.replicas.reduce(0) { $0 + $1.scheduler.openRequestCount } == 1)
    }

    @Test(arguments: [PlanObjective.latency, .throughput])
    mutating func `requests that wait for a placement do not keep it from being measured`(
        for objective: PlanObjective
    ) throws {
        try plan(.count(2), objective, measuresLinks: true)
        let work = Work.generation(.prompt([1, 2, 3], maximum: 4))
        _ = core.handle(.restored(Ticket(1), work, committed: [7]), at: .zero)
        _ = join([a, b])
        for node in [a, b] { _ = report(node) }
        #expect(core.health(at: .zero).measuring.pendingCount == 1)
        let due = try #require(core.nextDeadline)
        #expect(due > .zero && due <= .seconds(0.5))
        let ordered = core.handle(.tick, at: .seconds(0.5)).contains { effect in
            guard case .answer(let envelope, _) = effect, case .measurementOrder = envelope.body else { return false }
            return true
        }
        #expect(ordered)
    }
}
