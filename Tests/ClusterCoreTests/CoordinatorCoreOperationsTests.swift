import ClusterCore
import Testing
import Transport

/// What operators ask of a cluster: two workers, and perhaps a third.
struct CoordinatorCoreOperationsTests {
    private var core: CoordinatorCore<Int>
    private static let connections = [a: 1, b: 2, c: 3]

    init() throws {
        core = try Self.core()
    }

    private static func core(rebalancingDelay: Duration? = .seconds(30)) throws -> CoordinatorCore<Int> {
        try CoordinatorCore(
            configuration: CoordinationConfiguration(
                clusterID: "test", modelName: "tiny", dataEndpoint: "tcp://head:1",
                heartbeatInterval: .milliseconds(250),
                membership: MembershipConfiguration(detectionBound: .seconds(3600)),
                placement: PlacementTests.configuration(.count(2)),
                scheduler: SchedulerConfiguration(
                    contextLength: 512, vocabularySize: 100, maximumStepRowCount: 128, stepTimeout: .seconds(3600)),
                rebalancingDelay: rebalancingDelay, shutdownLimit: .seconds(10)))
    }

    private typealias Effects = [CoordinatorCore<Int>.Effect]

    private mutating func hear(_ node: NodeID, _ body: Envelope.Body, at now: Instant) -> Effects {
        let epoch = core.replicas[0].placement.pipeline?.epoch ?? Epoch(0)
        let envelope = Envelope(clusterID: "test", epoch: epoch, sender: node, body: body)
        return core.handle(.control(envelope, from: Self.connections[node] ?? 0), at: now)
    }

    /// All that have a place load it, and the probe passes.
    private mutating func serve(at now: Instant) throws {
        var effects: Effects = []
        for node in try #require(core.replicas[0].placement.pipeline).nodes {
            effects = hear(node, .ready(PlacementTests.loaded), at: now)
        }
        _ = answer(try #require(step(effects)), at: now)
    }

    private func step(_ effects: Effects) -> Step? {
        for case .sendStep(_, let step, _) in effects where !step.slices.isEmpty { return step }
        return nil
    }

    private mutating func answer(_ step: Step, at now: Instant) -> Effects {
        guard let pipeline = core.replicas[0].placement.pipeline else { return [] }
        let slices = step.slices.map { SliceResult(sequence: $0.sequence, output: .sampled(TokenChoice(token: 5))) }
        let envelope = Envelope(
            clusterID: "test", epoch: pipeline.epoch, sender: pipeline.answering,
            body: .stepResult(StepResult(id: step.id, slices: slices)))
        return core.handle(.data(envelope), at: now)
    }

    private func heartbeat(capacity: Int) -> Envelope.Body {
        var heartbeat = Heartbeat.number(1)
        heartbeat.keyValueTokenCapacity = capacity
        return .heartbeat(heartbeat)
    }

    /// Spares that are to load something say that they have.
    private mutating func prepare(_ effects: Effects, at now: Instant) -> Effects {
        effects.flatMap { effect -> Effects in
            guard case .answer(let envelope, let connection) = effect, case .standby(let assignment) = envelope.body,
                let node = Self.connections.first(where: { $0.value == connection })?.key
            else { return [] }
            var heartbeat = Heartbeat.number(1)
            heartbeat.heldPart = assignment.partDigest
            return hear(node, .heartbeat(heartbeat), at: now)
        }
    }

    private func sent(_ effects: Effects, to node: NodeID) -> [Envelope.Body] {
        effects.compactMap { effect in
            guard case .answer(let envelope, to: Self.connections[node]) = effect else { return nil }
            return envelope.body
        }
    }

    private func state(of node: NodeID) -> NodeHealth.State? {
        core.health(at: .zero).nodes.first { $0.name == node.name }?.state
    }

    private mutating func submit(_ number: UInt64, at now: Instant) -> Effects {
        core.handle(.submitted(Ticket(number), .generation(.prompt([1, 2], maximum: 40))), at: now)
    }

    @Test mutating func `requests go on when their worker is drained, and it is not held against them`() throws {
        for node in [a, b, c] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        var sent = try #require(step(submit(1, at: .seconds(1))))
        // More often than requests may be lost.
        for round in 1...20 {
            sent = try #require(step(answer(sent, at: .seconds(1))))
            let drained = round % 2 == 1 ? a : c
            let back = round % 2 == 1 ? c : a
            _ = core.handle(.operation(.resume(back)), at: .seconds(1))
            #expect(core.refusal(of: .drain(drained, isForced: false), at: .seconds(1)) == nil)
            let begun = core.handle(.operation(.drain(drained, isForced: false)), at: .seconds(1))
            // It goes on until the spare is ready.
            #expect(core.health(at: .seconds(1)).interruptedRequestCount == 0)
            let effects = prepare(begun, at: .seconds(1))
            #expect(effects.contains { if case .failed = $0 { true } else { false } } == false)
            #expect(core.health(at: .seconds(1)).interruptedRequestCount == 1)
            var loaded: Effects = []
            for node in try #require(core.replicas[0].placement.pipeline).nodes {
                loaded = hear(node, .ready(PlacementTests.loaded), at: .seconds(1))
            }
            sent = try #require(step(loaded))
            #expect(sent.slices.last?.tokens == [1, 2] + [Int32](repeating: 5, count: round))
            _ = hear(drained, heartbeat(capacity: 0), at: .seconds(1))
        }
    }

    @Test mutating func `a drained worker is told to let go until it holds nothing`() throws {
        for node in [a, b, c] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        _ = hear(a, heartbeat(capacity: 1024), at: .seconds(1))
        let begun = core.handle(.operation(.drain(a, isForced: false)), at: .seconds(1))
        #expect(state(of: a) == .draining)
        // Not before others have what it holds.
        #expect(!sent(hear(a, heartbeat(capacity: 1024), at: .seconds(1)), to: a).contains(.release))
        _ = prepare(begun, at: .seconds(1))
        #expect(sent(hear(a, heartbeat(capacity: 1024), at: .seconds(2)), to: a).contains(.release))
        #expect(!sent(hear(b, heartbeat(capacity: 1024), at: .seconds(2)), to: b).contains(.release))
        #expect(state(of: a) == .draining)
        #expect(!sent(hear(a, heartbeat(capacity: 0), at: .seconds(3)), to: a).contains(.release))
        #expect(state(of: a) == .drained)
        _ = core.handle(.operation(.resume(a)), at: .seconds(4))
        #expect(state(of: a) == .spare)
    }

    @Test mutating func `what nobody can take over is drained only by force`() throws {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        #expect(core.refusal(of: .drain(d, isForced: true), at: .zero)?.isUnknownNode == true)
        #expect(core.refusal(of: .resume(d), at: .zero)?.isUnknownNode == true)
        // Before it has served nobody takes over with less than was asked for.
        let refusal = try #require(core.refusal(of: .drain(a, isForced: false), at: .zero))
        #expect(refusal.description.contains("waiting for 1 of 2 workers (drained: a)"))
        #expect(core.handle(.operation(.drain(a, isForced: false)), at: .zero) == [])
        #expect(core.replicas[0].placement.pipeline != nil)
        _ = core.handle(.operation(.drain(a, isForced: true)), at: .zero)
        #expect(core.replicas[0].placement.pipeline == nil)
        _ = core.handle(.operation(.resume(a)), at: .zero)
        #expect(core.replicas[0].placement.pipeline != nil)
    }

    /// One worker of two has the whole model, and a request runs; then the other is there again.
    private mutating func reduce() throws -> Step {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        _ = core.handle(.operation(.drain(b, isForced: false)), at: .seconds(1))
        try serve(at: .seconds(1))
        let sent = try #require(step(submit(1, at: .seconds(2))))
        _ = core.handle(.operation(.resume(b)), at: .seconds(2))
        return sent
    }

    @Test mutating func `a worker is brought in when nothing runs`() throws {
        _ = try reduce()
        #expect(core.health(at: .seconds(2)).state == .degraded)
        _ = core.handle(.tick, at: .seconds(20))
        #expect(core.replicas[0].placement.pipeline?.nodes == [a])
        _ = core.handle(.cancelled(Ticket(1)), at: .seconds(21))
        #expect(core.replicas[0].placement.pipeline?.nodes.sorted() == [a, b])
    }

    @Test mutating func `a worker is brought in after a while although requests run, which go on`() throws {
        _ = try reduce()
        #expect(core.nextDeadline.map { $0 <= .seconds(32) } == true)
        let effects = core.handle(.tick, at: .seconds(32))
        #expect(core.replicas[0].placement.pipeline?.nodes.sorted() == [a, b])
        #expect(core.health(at: .seconds(32)).interruptedRequestCount == 1)
        #expect(!effects.contains { if case .failed = $0 { true } else { false } })
    }

    @Test mutating func `where it is left to the operator a worker is brought in on request only`() throws {
        core = try Self.core(rebalancingDelay: nil)
        _ = try reduce()
        _ = core.handle(.cancelled(Ticket(1)), at: .seconds(3))
        _ = core.handle(.tick, at: .seconds(100))
        #expect(core.replicas[0].placement.pipeline?.nodes == [a])
        #expect(core.refusal(of: .rebalance, at: .seconds(100)) == nil)
        _ = core.handle(.operation(.rebalance), at: .seconds(100))
        #expect(core.replicas[0].placement.pipeline?.nodes.sorted() == [a, b])
        try serve(at: .seconds(101))
        #expect(core.refusal(of: .rebalance, at: .seconds(101))?.description == "the model is placed as wanted")
    }

    @Test mutating func `a shutdown lets requests end, then has the workers leave`() throws {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        let sent = try #require(step(submit(1, at: .seconds(1))))
        let begun = core.handle(.operation(.shutDown), at: .seconds(2))
        #expect(begun == [.notice(.shuttingDown(openRequestCount: 1))])
        #expect(submit(2, at: .seconds(2)) == [.failed(Ticket(2), .shuttingDown)])
        #expect(core.health(at: .seconds(4)).state == .down)
        #expect(core.health(at: .seconds(4)).reason == "shutting down: open requests may go on for 8.0 s")
        #expect(!core.readiness(at: .seconds(4)).isReady)
        #expect(core.refusal(of: .rebalance, at: .seconds(4))?.description == "the cluster is shutting down")
        #expect(step(answer(sent, at: .seconds(4))) != nil)
        let dismissed = core.handle(.cancelled(Ticket(1)), at: .seconds(5))
        for node in [a, b] {
            #expect(self.sent(dismissed, to: node) == [.leave(Leave(reason: "the cluster is shutting down"))])
        }
        #expect(!dismissed.contains(.shutDown))
        #expect(!hear(a, .leave(Leave(reason: "r")), at: .seconds(5)).contains(.shutDown))
        #expect(hear(b, .leave(Leave(reason: "r")), at: .seconds(5)).contains(.shutDown))
        #expect(core.replicas[0].placement.pipeline == nil)
    }

    @Test mutating func `a shutdown waits neither for endless requests nor for silent workers`() throws {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        _ = submit(1, at: .seconds(1))
        _ = core.handle(.operation(.shutDown), at: .seconds(2))
        #expect(core.nextDeadline.map { $0 <= .seconds(12) } == true)
        #expect(sent(core.handle(.tick, at: .seconds(12)), to: a).count == 1)
        // One that joins as late as that is told as well.
        #expect(
            sent(hear(c, .hello(.from(c)), at: .seconds(13)), to: c).last
                == .leave(Leave(reason: "the cluster is shutting down")))
        #expect(!core.handle(.tick, at: .seconds(16)).contains(.shutDown))
        #expect(core.handle(.tick, at: .seconds(17)).contains(.shutDown))
    }

    @Test mutating func `a worker whose key is revoked is lost at once, and the others learn the new keys`() throws {
        for node in [a, b, c] { _ = hear(node, .hello(.from(node)), at: .zero) }
        try serve(at: .zero)
        let keyring = Keyring(keys: [])
        let effects = core.handle(
            .keysChanged(keyring, revoked: [b, NodeID("nobody") ?? .coordinator]), at: .seconds(1))
        #expect(effects.contains(.notice(.lost(b, reason: "its key was revoked"))))
        #expect(core.membership[b]?.state == .lost)
        // The spare takes its place.
        #expect(core.replicas[0].placement.pipeline?.nodes == [a, c])
        let told = effects.compactMap { effect -> Int? in
            if case .answer(let envelope, let connection) = effect, envelope.body == .keyring(keyring) {
                connection
            } else {
                nil
            }
        }
        #expect(told == [1, 3])
    }

    @Test mutating func `a request from before a restart waits for the first pipeline and goes on from its tokens`()
        throws
    {
        let work = Work.generation(.prompt([1, 2], maximum: 5))
        #expect(core.handle(.restored(Ticket(9), work, committed: [5, 5]), at: .zero) == [])
        #expect(core.health(at: .zero).state == .recovering)
        #expect(core.health(at: .zero).interruptedRequestCount == 1)
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .seconds(1)) }
        var effects: Effects = []
        for node in try #require(core.replicas[0].placement.pipeline).nodes {
            effects = hear(node, .ready(PlacementTests.loaded), at: .seconds(2))
        }
        var sent = try #require(step(effects))
        #expect(sent.slices.last?.tokens == [1, 2, 5, 5])
        var tokenCount = 0
        for _ in 0..<3 {
            let effects = answer(sent, at: .seconds(3))
            tokenCount += effects.count { if case .token(Ticket(9), _) = $0 { true } else { false } }
            if let next = step(effects) { sent = next }
            if tokenCount == 3 { #expect(effects.contains(.finished(Ticket(9), .length))) }
        }
        #expect(tokenCount == 3)
    }

    @Test mutating func `workers that outlive the coordinator take the places that need what they hold`() throws {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        let assignments = core.replicas[0].placement.pipeline?.nodes ?? []
        #expect(assignments == [a, b])
        var trial = try Self.core()
        var digests: [NodeID: UInt64] = [:]
        for node in [a, b] {
            let effects = trial.handle(
                .control(
                    Envelope(clusterID: "test", epoch: Epoch(0), sender: node, body: .hello(.from(node))),
                    from: Self.connections[node] ?? 0), at: .zero)
            for case .answer(let envelope, let connection) in effects {
                guard case .assignment(let assignment) = envelope.body else { continue }
                digests[connection == 1 ? a : b] = assignment.partDigest
            }
        }
        core = try Self.core()
        for (node, other) in [(a, b), (b, a)] {
            var hello = Hello.from(node)
            hello.heldPart = try #require(digests[other])
            _ = hear(node, .hello(hello), at: .zero)
        }
        #expect(core.replicas[0].placement.pipeline?.nodes == [b, a])
    }
}
