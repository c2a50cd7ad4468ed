import ClusterCore
import Testing
import Transport

/// A coordinator's cores for two workers, a on connection 1 and b on connection 2.
struct CoordinatorCoreTests {
    var core: CoordinatorCore<Int>

    init() throws {
        core = try CoordinatorCore(
            configuration: CoordinationConfiguration(
                clusterID: "test", modelName: "tiny", dataEndpoint: "tcp://head:1",
                heartbeatInterval: .milliseconds(250), membership: MembershipConfiguration(),
                placement: PlacementTests.configuration(.count(2)),
                scheduler: SchedulerConfiguration(contextLength: 512, vocabularySize: 100, maximumStepRowCount: 128)))
    }

    func from(_ node: NodeID, _ body: Envelope.Body, epoch: UInt64 = 0, cluster: String = "test") -> Envelope {
        Envelope(clusterID: cluster, epoch: Epoch(epoch), sender: node, body: body)
    }

    mutating func hear(_ node: NodeID, _ body: Envelope.Body, epoch: UInt64 = 0, at now: Instant)
        -> [CoordinatorCore<Int>.Effect]
    {
        core.handle(.control(from(node, body, epoch: epoch), from: node == a ? 1 : 2), at: now)
    }

    /// Both workers join and load; what the last answer led to.
    mutating func serve(epoch: UInt64 = 7, at now: Instant = .zero) -> [CoordinatorCore<Int>.Effect] {
        _ = hear(a, .hello(.from(a)), at: now)
        _ = hear(b, .hello(.from(b)), at: now)
        _ = hear(a, .ready(PlacementTests.loaded), epoch: epoch, at: now)
        return hear(b, .ready(PlacementTests.loaded), epoch: epoch, at: now)
    }

    func step(_ effects: [CoordinatorCore<Int>.Effect]) -> Step? {
        for case .sendStep(_, let step, _) in effects where !step.slices.isEmpty { return step }
        return nil
    }

    mutating func answer(_ step: Step, by node: NodeID = b, epoch: UInt64 = 7, at now: Instant)
        -> [CoordinatorCore<Int>.Effect]
    {
        let slices = step.slices.map { SliceResult(sequence: $0.sequence, output: .sampled(TokenChoice(token: 5))) }
        let result = StepResult(id: step.id, slices: slices)
        return core.handle(.data(from(node, .stepResult(result), epoch: epoch)), at: now)
    }

    @Test mutating func `the cluster is healthy once a token has passed through both stages`() throws {
        #expect(core.health(at: .zero).state == .down)
        #expect(core.health(at: .zero).reason == "waiting for 2 of 2 workers")
        #expect(
            hear(a, .hello(.from(a)), at: .zero).first
                == .answer(
                    Envelope(
                        clusterID: "test", epoch: Epoch(6), sender: .coordinator,
                        body: .welcome(
                            Welcome(heartbeatInterval: .milliseconds(250), dataEndpoint: "tcp://head:1"))), to: 1))
        let opened = hear(b, .hello(.from(b)), at: .zero)
        #expect(opened.contains(.connect([Peer(node: a, dataEndpoint: "tcp://a:7071", hostID: "boot/1")])))
        let assigned = opened.compactMap { effect -> Int? in
            guard case .answer(let envelope, let connection) = effect, case .assignment = envelope.body,
                envelope.epoch == Epoch(7)
            else { return nil }
            return connection
        }
        #expect(assigned == [1, 2])
        #expect(core.health(at: .zero).reason == "a, b still loading")
        #expect(core.health(at: .zero).nodes.map(\.state) == [.loading, .loading])
        _ = hear(a, .ready(PlacementTests.loaded), epoch: 7, at: .zero)
        let probe = try #require(step(hear(b, .ready(PlacementTests.loaded), epoch: 7, at: .zero)))
        #expect(core.health(at: .zero).state == .degraded)
        #expect(core.readiness(at: .zero) == (false, "no token has passed through all stages yet"))
        _ = answer(probe, at: .seconds(0.5))
        #expect(core.health(at: .seconds(0.5)).state == .healthy)
        #expect(core.health(at: .seconds(0.5)).reason == "")
        #expect(core.readiness(at: .seconds(10.5)).isReady)
        #expect(core.readiness(at: .seconds(10.6)) == (false, "no token has passed through all stages for 10.1 s"))
    }

    @Test mutating func `health shows what the workers report`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        _ = hear(b, .heartbeat(.number(1, computedTokenCount: 0)), at: .seconds(0))
        _ = hear(b, .heartbeat(.number(2, computedTokenCount: 60)), at: .seconds(0.5))
        let node = try #require(core.health(at: .seconds(0.75)).nodes.last)
        var wanted = NodeHealth(
            name: "b", state: .ready, detail: "", processID: 101, cpu: "Ryzen 9 9950X",
            instructionSet: "avx512", threadCount: 16, memoryUsedByteCount: 1 << 30,
            memoryFreeByteCount: 50 << 30, epoch: 7, stage: 1, rank: 0, firstLayer: 3, endLayer: 6,
            firstKeyValueHead: 0,
            endKeyValueHead: 5,
            keyValueTokenCount: 7,
            keyValueTokenCapacity: 4096, secondsSinceHeartbeat: 0.25, roundTripMilliseconds: 0.25,
            tokensPerSecond: 120, droppedFrameCount: 3)
        wanted.replica = 0
        #expect(node == wanted)
    }

    @Test mutating func `health shows how far a worker is with its weights, as long as it loads`() throws {
        for node in [a, b] { _ = hear(node, .hello(.from(node)), at: .zero) }
        var heartbeat = Heartbeat.number(1)
        heartbeat.loading = LoadingProgress(doneByteCount: 30, byteCount: 100)
        heartbeat.fetchedByteCount = 20
        _ = hear(b, .heartbeat(heartbeat), at: .seconds(500))
        let loading = try #require(core.health(at: .seconds(500)).nodes.last)
        #expect((loading.loadedByteCount, loading.neededByteCount) == (30, 100))
        #expect(loading.fetchedByteCount == 20)
        #expect(core.replicas[0].placement.nextDeadline == .seconds(600))
    }

    @Test mutating func `a step that cannot be sent ends the epoch, and its other steps are not tried`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        var effects: [CoordinatorCore<Int>.Effect] = []
        // Steps of 128 rows: the prompt makes three at once.
        let request = GenerationRequest.prompt([Int32](repeating: 1, count: 500), maximum: 4)
        core.run(.submitted(Ticket(1), .generation(request)), at: { .zero }) { effect in
            effects.append(effect)
            guard case .sendStep(let envelope, let step, let nodes) = effect else { return nil }
            return .stepNotSent(step.id, envelope.epoch, to: nodes[0], .timedOut(nodes[0], afterMilliseconds: 1000))
        }
        let sent = effects.count { if case .sendStep = $0 { true } else { false } }
        #expect(sent == 1)
        #expect(!effects.contains { if case .failed = $0 { true } else { false } })
        #expect(core.health(at: .zero).queuedRequestCount == 1)
    }

    private func ends(_ effects: [CoordinatorCore<Int>.Effect]) -> [CoordinatorCore<Int>.Effect] {
        effects.filter { if case .failed = $0 { true } else { false } }
    }

    @Test mutating func `requests outlive a silent worker and go on when it is back`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        let request = GenerationRequest.prompt([1, 2])
        let first = try #require(
            step(core.handle(.submitted(Ticket(1), .generation(request)), at: .seconds(0.5))))
        let sent = try #require(step(answer(first, at: .seconds(0.5))))
        _ = hear(a, .heartbeat(.number(1)), at: .seconds(0.9))
        _ = core.handle(.tick, at: .seconds(1))
        #expect(core.health(at: .seconds(1)).state == .degraded)
        #expect(core.health(at: .seconds(1)).reason == "worker b has been silent for 1.0 s")
        _ = hear(a, .heartbeat(.number(2)), at: .seconds(1.5))
        let effects = core.handle(.tick, at: .seconds(2))
        #expect(ends(effects) == [])
        let ended = Notice.epochEnded(Epoch(7), node: b, reason: "silent for 2.0 s", openRequestCount: 1)
        #expect(effects.contains(.notice(ended)))
        let outage = core.health(at: .seconds(2))
        #expect(outage.state == .recovering)
        #expect(outage.reason == "waiting for 1 of 2 workers; in 5 s the model is placed on 1")
        #expect(outage.secondsSinceLastToken == 1.5)
        #expect(outage.interruptedRequestCount == 1)
        #expect(
            core.handle(.submitted(Ticket(2), .generation(request)), at: .seconds(2))
                == [.failed(Ticket(2), .unavailable(outage.reason))])
        _ = hear(b, .hello(.from(b)), at: .seconds(3))
        // Where a pipeline is on its way, new requests may wait for it, too.
        #expect(core.handle(.submitted(Ticket(3), .generation(request)), at: .seconds(3)) == [])
        _ = hear(a, .ready(PlacementTests.loaded), epoch: 8, at: .seconds(3))
        let effect = hear(b, .ready(PlacementTests.loaded), epoch: 8, at: .seconds(3))
        let pipeline = try #require(core.replicas[0].placement.pipeline)
        #expect(
            effect.contains(.notice(.serving(pipeline, after: .seconds(1), interruptedRequestCount: 1))))
        let rebuilding = try #require(step(effect))
        #expect(rebuilding.slices.map(\.tokens) == [[0], [1, 2, 5], [1, 2]])
        // A result of the epoch before comes too late.
        #expect(answer(sent, at: .seconds(3)) == [])
        #expect(core.drops.count(.olderEpoch) == 1)
        #expect(!core.readiness(at: .seconds(3)).isReady)
        let tokens = answer(rebuilding, epoch: 8, at: .seconds(3))
        #expect(core.health(at: .seconds(3)).state == .healthy)
        #expect(tokens.contains(.token(Ticket(1), TokenChoice(token: 5))))
        #expect(tokens.contains(.token(Ticket(3), TokenChoice(token: 5))))
    }

    @Test mutating func `requests that wait in vain end with what is missing`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        _ = core.handle(.submitted(Ticket(1), .generation(.prompt([1, 2]))), at: .zero)
        let failure = WorkerFailure(kind: .loading, message: "no model file", isRetryable: false)
        _ = hear(b, .leave(Leave(reason: "SIGTERM")), at: .seconds(1))
        for second in 1...5 { _ = hear(a, .heartbeat(.number(UInt64(second))), at: .seconds(Double(second))) }
        _ = core.handle(.tick, at: .seconds(6))
        #expect(core.replicas[0].placement.pipeline?.nodes == [a])
        #expect(ends(hear(a, .failure(failure), epoch: 8, at: .seconds(6))) == [])
        for second in 7...60 {
            _ = hear(a, .heartbeat(.number(UInt64(second))), at: .seconds(Double(second)))
            #expect(ends(core.handle(.tick, at: .seconds(Double(second)))) == [])
        }
        #expect(core.nextDeadline ?? .zero <= .seconds(61))
        _ = hear(a, .heartbeat(.number(61)), at: .seconds(60.9))
        #expect(
            ends(core.handle(.tick, at: .seconds(61))) == [
                .failed(
                    Ticket(1),
                    .unavailable(
                        "waited 60.0 s for another placement in vain: worker a: no model file; "
                            + "remove the cause and start it again"))
            ])
        #expect(core.health(at: .seconds(61)).state == .down)
    }

    @Test mutating func `a worker whose connection is closed is lost long before the detection bound`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        #expect(core.nextDeadline == .seconds(0.5))
        _ = hear(a, .heartbeat(.number(1)), at: .seconds(0.4))
        let asked = core.handle(.tick, at: .seconds(0.5))
        let answers = asked.compactMap { effect -> Int? in
            guard case .answer(let envelope, let connection) = effect, case .heartbeatReply = envelope.body else {
                return nil
            }
            return connection
        }
        #expect(answers == [2])
        #expect(core.handle(.tick, at: .seconds(0.6)) == [])
        // One that was heard of lately may just be connecting anew, and an old connection says nothing of the present.
        #expect(core.handle(.closed(a, 1), at: .seconds(0.6)) == [])
        #expect(core.handle(.closed(b, 9), at: .seconds(0.6)) == [])
        let effects = core.handle(.closed(b, 2), at: .seconds(0.6))
        #expect(effects.contains(.notice(.lost(b, reason: "its connection is closed"))))
        #expect(!core.replicas[0].placement.isServing)
    }

    @Test mutating func `a worker's failure of a step reaches its requests and the pipeline goes on`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        let sent = try #require(step(core.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)))
        let failure = WorkerFailure(kind: .step(sent.id), message: "layer 4: not a number", isRetryable: false)
        let effects = hear(b, .failure(failure), epoch: 7, at: .zero)
        #expect(effects.contains(.failed(Ticket(1), .workerFailed(node: "b", reason: "layer 4: not a number"))))
        #expect(core.health(at: .zero).state == .healthy)
        #expect(step(core.handle(.submitted(Ticket(2), .generation(.prompt([1]))), at: .zero)) != nil)
    }

    @Test mutating func `a load failure is shown beside its worker and tried again later`() {
        _ = hear(a, .hello(.from(a)), at: .zero)
        _ = hear(b, .hello(.from(b)), at: .zero)
        let failure = WorkerFailure(kind: .loading, message: "/models/test.gguf: not found", isRetryable: true)
        _ = hear(b, .failure(failure), epoch: 7, at: .zero)
        let health = core.health(at: .zero)
        #expect(health.state == .down)
        #expect(health.reason == "worker b: /models/test.gguf: not found; next try in 2 s")
        #expect(health.nodes.map(\.detail) == ["", "/models/test.gguf: not found"])
        #expect(health.nodes.map(\.state) == [.joining, .joining])
        #expect(health.nodes.map(\.secondsUntilRetry) == [nil, 2])
        _ = hear(a, .heartbeat(.number(1)), at: .seconds(1.9))
        _ = hear(b, .heartbeat(.number(1)), at: .seconds(1.9))
        _ = core.handle(.tick, at: .seconds(2))
        let retried = core.health(at: .seconds(2)).nodes
        #expect(retried.map(\.state) == [.loading, .loading])
        #expect(retried.allSatisfy { $0.detail.isEmpty && $0.secondsUntilRetry == nil })
    }

    @Test mutating func `a stage that computes nothing is named when its step times out`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        _ = core.handle(.submitted(Ticket(1), .generation(.prompt([1, 2, 3]))), at: .zero)
        for beat in 1...120 {
            let now = Instant.seconds(Double(beat) * 0.25)
            _ = hear(a, .heartbeat(.number(UInt64(beat), computedTokenCount: 4)), at: now)
            _ = hear(b, .heartbeat(.number(UInt64(beat), computedTokenCount: 1)), at: now)
        }
        #expect(ends(core.handle(.tick, at: .seconds(30))) == [])
        #expect(core.health(at: .seconds(30)).reason == "worker b: no result within 30 s; next try in 2 s")
    }

    @Test mutating func `a broken result ends the epoch and names the last stage`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        let sent = try #require(step(core.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)))
        let result = StepResult(id: sent.id, slices: [])
        let effects = core.handle(.data(from(b, .stepResult(result), epoch: 7)), at: .zero)
        let reason = "its result of step \(sent.id.number) is wrong: 0 slices answer 1"
        #expect(ends(effects) == [])
        #expect(
            effects.contains(.notice(.epochEnded(Epoch(7), node: b, reason: reason, openRequestCount: 1))))
        #expect(!core.replicas[0].placement.isServing)
    }

    @Test mutating func `frames of strangers, of older epochs and of the wrong kind are counted and change nothing`()
        throws
    {
        let probe = try #require(step(serve()))
        let frames: [(Envelope, DropReason)] = [
            (from(c, .stepResult(StepResult(id: probe.id, slices: [])), epoch: 7), .unknownSender),
            (from(a, .stepResult(StepResult(id: probe.id, slices: [])), epoch: 7), .unexpectedMessage),
            (from(b, .stepResult(StepResult(id: probe.id, slices: [])), epoch: 6), .olderEpoch),
            (from(b, .step(probe), epoch: 7), .unexpectedMessage),
        ]
        for (frame, reason) in frames {
            let before = core.drops.count(reason)
            #expect(core.handle(.data(frame), at: .zero) == [])
            #expect(core.drops.count(reason) == before + 1)
        }
        let controls: [(Envelope, Int, DropReason)] = [
            (from(c, .heartbeat(.number(1))), 3, .unknownSender),
            (from(b, .heartbeat(.number(1))), 9, .unknownSender),
            (from(b, .ready(PlacementTests.loaded), epoch: 6), 2, .olderEpoch),
            (from(b, .ready(PlacementTests.loaded), epoch: 7), 9, .unknownSender),
            (from(b, .refusal(Refusal(reason: "no"))), 2, .unexpectedMessage),
            (from(b, .heartbeat(.number(1)), cluster: "other"), 2, .otherCluster),
        ]
        for (frame, connection, reason) in controls {
            let before = core.drops.count(reason)
            #expect(core.handle(.control(frame, from: connection), at: .zero) == [])
            #expect(core.drops.count(reason) == before + 1)
        }
        #expect(core.health(at: .zero, linkDropCount: 5).droppedFrameCount == 15)
        _ = answer(probe, at: .zero)
        #expect(core.health(at: .zero).state == .healthy)
    }

    @Test mutating func `workers of another cluster or protocol version are told why they are refused`() {
        let stranger = core.handle(.control(from(c, .hello(.from(c)), cluster: "other"), from: 3), at: .zero)
        #expect(
            stranger.first
                == .answer(
                    Envelope(
                        clusterID: "test", epoch: Epoch(6), sender: .coordinator,
                        body: .refusal(Refusal(reason: "this is cluster test, not other; check the address"))), to: 3))
        let old = core.handle(.otherVersion(theirs: 9, c, from: 3), at: .zero)
        guard case .answer(let envelope, 3)? = old.first, case .refusal(let refusal) = envelope.body else {
            Issue.record("not refused: \(old)")
            return
        }
        #expect(
            refusal.reason
                == "c speaks protocol version 9, this cluster 1; install the same release on all machines")
    }

    @Test mutating func `a step that cannot be sent ends the epoch, one that breaks a limit ends its request`() throws {
        let probe = try #require(step(serve()))
        _ = answer(probe, at: .zero)
        let large = try #require(step(core.handle(.submitted(Ticket(1), .generation(.prompt([1]))), at: .zero)))
        let refused = core.handle(.stepNotSent(large.id, Epoch(7), to: a, .refused("too large")), at: .zero)
        #expect(refused.contains(.failed(Ticket(1), .invalidRequest("too large"))))
        #expect(core.replicas[0].placement.isServing)
        let next = try #require(step(core.handle(.submitted(Ticket(2), .generation(.prompt([1]))), at: .zero)))
        let error = LinkError.timedOut(a, afterMilliseconds: 1000)
        let effects = core.handle(.stepNotSent(next.id, Epoch(7), to: a, error), at: .zero)
        #expect(ends(effects) == [])
        #expect(core.health(at: .zero).nodes.map(\.detail) == [error.description, ""])
        #expect(!core.replicas[0].placement.isServing)
        #expect(core.handle(.stepNotSent(next.id, Epoch(7), to: a, error), at: .zero) == [])
    }
}
