import Testing
import Transport
import WorkerRuntime

@Suite struct ControlSessionTests {
    private func envelope(_ body: Envelope.Body, epoch: UInt64 = 0, cluster: String = "c") -> Envelope {
        Envelope(clusterID: cluster, epoch: Epoch(epoch), sender: .coordinator, body: body)
    }

    private static let node = NodeID("worker-1") ?? .coordinator

    private let welcome = Envelope.Body.welcome(
        Welcome(heartbeatInterval: .seconds(1), dataEndpoint: "tcp://10.0.0.1:7"))

    private let stage = StageAssignment(
        modelFile: ModelFileReference(path: "/m", byteCount: 1, headerDigest: Array(repeating: 0, count: 32)), stage: 0,
        stageCount: 1, rank: 0,
        ranks: [StageRank(peer: Peer(node: Self.node, dataEndpoint: "tcp://10.0.0.2:7"), share: .whole)],
        layers: 0..<1, next: [], previous: .coordinator, contextLength: 1, keyValueTokenCapacity: 1,
        maximumStepRowCount: 1)

    private let results = Peer(node: .coordinator, dataEndpoint: "tcp://10.0.0.1:7")

    /// A session that was welcomed at 0 and has sent heartbeat 1.
    private func welcomed() -> ControlSession {
        var session = ControlSession(node: Self.node, clusterID: "c", at: .zero)
        #expect(session.handle(.tick, at: .zero) == [.sendHello])
        #expect(session.handle(.helloSent(true), at: .zero) == [])
        #expect(
            session.handle(.received(envelope(welcome)), at: .zero) == [.sendHeartbeat(number: 1, roundTrip: nil)])
        return session
    }

    @Test func `a hello is tried often until there is a connection`() {
        var session = ControlSession(node: Self.node, clusterID: "c", at: .zero)
        for attempt in 0..<50 {
            let now = Duration.milliseconds(250 * attempt)
            #expect(session.nextDeadline == now)
            #expect(session.handle(.tick, at: now) == [.sendHello])
            #expect(session.handle(.helloSent(false), at: now) == [])
            #expect(session.handle(.tick, at: now + .milliseconds(249)) == [])
        }
    }

    @Test func `an unanswered hello is repeated on a new connection, less and less often`() {
        var session = ControlSession(node: Self.node, clusterID: "c", at: .zero)
        var now = Duration.zero
        _ = session.handle(.tick, at: now)
        var waits: [Duration] = []
        for _ in 0..<5 {
            _ = session.handle(.helloSent(true), at: now)
            let deadline = session.nextDeadline ?? .zero
            waits.append(deadline - now)
            now = deadline
            #expect(session.handle(.tick, at: now) == [.reconnect, .sendHello])
        }
        #expect(waits == [.milliseconds(500), .seconds(1), .seconds(2), .seconds(2), .seconds(2)])
    }

    @Test func `what it has for others is said to each coordinator, and again when it is another`() {
        let offer = WeightsOffer(endpoint: "tcp://10.0.0.2:8")
        var session = welcomed()
        #expect(session.handle(.offering(offer), at: .zero) == [.send(.weightsOffer(offer), Epoch(0))])
        #expect(session.handle(.offering(offer), at: .zero) == [])
        var more = offer
        (more.headerDigest, more.heldByteCount) = ([UInt8](repeating: 1, count: 32), 9)
        #expect(session.handle(.offering(more), at: .zero) == [.send(.weightsOffer(more), Epoch(0))])
        // One that could not be sent is not sent later, when another may count.
        session.hold([(.weightsOffer(offer), Epoch(0))])
        #expect(
            session.handle(.received(envelope(welcome)), at: .zero) == [
                .sendHeartbeat(number: 2, roundTrip: nil), .send(.weightsOffer(more), Epoch(0)),
            ])
        let peer = Peer(node: Self.node, dataEndpoint: "tcp://10.0.0.3:8")
        #expect(
            session.handle(.received(envelope(.weightsSources(WeightsSources(peers: [peer])))), at: .zero)
                == [.fetchFrom([peer])])
    }

    @Test func `heartbeats keep their interval and carry the last round trip`() {
        var session = welcomed()
        #expect(session.nextDeadline == .seconds(1))
        _ = session.handle(.received(envelope(.heartbeatReply(HeartbeatReply(number: 1)))), at: .milliseconds(3))
        #expect(session.handle(.tick, at: .milliseconds(999)) == [])
        #expect(
            session.handle(.tick, at: .seconds(1)) == [.sendHeartbeat(number: 2, roundTrip: .milliseconds(3))])
        // Late ticks do not add up to a burst.
        _ = session.handle(.received(envelope(.heartbeatReply(HeartbeatReply(number: 2)))), at: .seconds(2))
        #expect(session.handle(.tick, at: .milliseconds(3900)).count == 1)
        #expect(session.handle(.tick, at: .milliseconds(4000)) == [])
    }

    @Test func `an answer to an earlier heartbeat shows how late it is`() {
        var session = welcomed()
        _ = session.handle(.tick, at: .seconds(1))
        _ = session.handle(.received(envelope(.heartbeatReply(HeartbeatReply(number: 1)))), at: .milliseconds(1500))
        #expect(
            session.handle(.tick, at: .seconds(2)) == [.sendHeartbeat(number: 3, roundTrip: .milliseconds(1500))])
    }

    @Test func `silence for three intervals means hello again`() {
        var session = welcomed()
        #expect(session.handle(.tick, at: .seconds(1)).count == 1)
        #expect(session.handle(.tick, at: .seconds(2)).count == 1)
        #expect(session.handle(.tick, at: .seconds(3)) == [.reconnect, .sendHello])
        #expect(!session.isWelcomed)
        // And is answered by a welcome as at first.
        _ = session.handle(.helloSent(true), at: .seconds(3))
        let effects = session.handle(.received(envelope(welcome)), at: .seconds(4))
        #expect(effects == [.sendHeartbeat(number: 4, roundTrip: nil)])
    }

    @Test func `only newer epochs are taken, until a coordinator starts anew`() {
        var session = welcomed()
        #expect(
            session.handle(.received(envelope(.assignment(stage), epoch: 5)), at: .zero)
                == [.assign(stage, Epoch(5), results: results, weights: nil)])
        #expect(session.handle(.received(envelope(.assignment(stage), epoch: 5)), at: .zero) == [.drop(.olderEpoch)])
        #expect(session.handle(.received(envelope(.assignment(stage), epoch: 4)), at: .zero) == [.drop(.olderEpoch)])
        // The same coordinator, which is at epoch 5 itself.
        _ = session.handle(.received(envelope(welcome, epoch: 5)), at: .zero)
        #expect(session.handle(.received(envelope(.assignment(stage), epoch: 5)), at: .zero) == [.drop(.olderEpoch)])
        // Another one, which has just begun.
        _ = session.handle(.received(envelope(welcome, epoch: 0)), at: .zero)
        #expect(
            session.handle(.received(envelope(.assignment(stage), epoch: 1)), at: .zero)
                == [.assign(stage, Epoch(1), results: results, weights: nil)])
    }

    @Test func `reports made while the coordinator was silent follow its welcome`() {
        let ready = StageReady(weightsByteCount: 1, keyValueTokenCapacity: 1)
        let failure = WorkerFailure(kind: .step(StepID(8)), message: "m", isRetryable: true)
        for (welcomeEpoch, isKept) in [(2, true), (0, false)] as [(UInt64, Bool)] {
            var session = welcomed()
            _ = session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
            #expect(session.handle(.tick, at: .seconds(3)) == [.reconnect, .sendHello])
            _ = session.handle(.helloSent(true), at: .seconds(3))
            #expect(session.handle(.report(.ready(ready, Epoch(2))), at: .seconds(3)) == [])
            #expect(session.handle(.report(.failure(failure, Epoch(2))), at: .seconds(3)) == [])
            let effects = session.handle(.received(envelope(welcome, epoch: welcomeEpoch)), at: .seconds(3))
            let reports: [ControlSession.Effect] = [.send(.ready(ready), Epoch(2)), .send(.failure(failure), Epoch(2))]
            #expect(effects == [.sendHeartbeat(number: 2, roundTrip: nil)] + (isKept ? reports : []))
        }
    }

    @Test func `reports that could not be sent follow the next welcome, before newer ones`() {
        let load = WorkerFailure(kind: .loading, message: "no such file", isRetryable: false)
        let step = WorkerFailure(kind: .step(StepID(8)), message: "m", isRetryable: true)
        var session = welcomed()
        _ = session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
        let sent = session.handle(.report(.failure(load, Epoch(2))), at: .zero)
        #expect(sent == [.send(.failure(load), Epoch(2))])
        _ = session.handle(.tick, at: .seconds(3))
        session.hold([(.failure(load), Epoch(2)), (.leave(Leave(reason: "r")), Epoch(2))])
        _ = session.handle(.helloSent(true), at: .seconds(3))
        _ = session.handle(.report(.failure(step, Epoch(2))), at: .seconds(3))
        let effects = session.handle(.received(envelope(welcome, epoch: 2)), at: .seconds(3))
        #expect(effects.dropFirst() == [.send(.failure(load), Epoch(2)), .send(.failure(step), Epoch(2))])
    }

    @Test func `a load that is no longer wanted is not reported`() {
        var session = welcomed()
        _ = session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
        _ = session.handle(.received(envelope(.assignment(stage), epoch: 3)), at: .zero)
        let ready = StageReady(weightsByteCount: 1, keyValueTokenCapacity: 1)
        #expect(session.handle(.report(.ready(ready, Epoch(2))), at: .zero) == [])
        let failure = WorkerFailure(kind: .loading, message: "m", isRetryable: true)
        #expect(session.handle(.report(.failure(failure, Epoch(2))), at: .zero) == [])
        #expect(session.handle(.report(.ready(ready, Epoch(3))), at: .zero) == [.send(.ready(ready), Epoch(3))])
    }

    @Test func `an assignment that puts another worker in this one's place is dropped`() {
        var session = welcomed()
        var other = stage
        other.ranks[0].peer.node = .coordinator
        #expect(session.handle(.received(envelope(.assignment(other), epoch: 2)), at: .zero) == [.drop(.malformed)])
        other = stage
        other.rank = 1
        #expect(session.handle(.received(envelope(.assignment(other), epoch: 2)), at: .zero) == [.drop(.malformed)])
        #expect(
            session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
                == [.assign(stage, Epoch(2), results: results, weights: nil)])
    }

    @Test func `what is released is no longer reported on, and an older release is dropped`() {
        var session = welcomed()
        _ = session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
        #expect(session.handle(.received(envelope(.release, epoch: 1)), at: .zero) == [.drop(.olderEpoch)])
        #expect(session.handle(.received(envelope(.release, epoch: 3)), at: .zero) == [.release])
        let ready = StageReady(weightsByteCount: 1, keyValueTokenCapacity: 1)
        #expect(session.handle(.report(.ready(ready, Epoch(2))), at: .zero) == [])
        #expect(
            session.handle(.received(envelope(.assignment(stage), epoch: 4)), at: .zero)
                == [.assign(stage, Epoch(4), results: results, weights: nil)])
    }

    @Test func `a part to keep ready is taken in the newest epoch, and its failure is told`() {
        var session = welcomed()
        _ = session.handle(.received(envelope(.assignment(stage), epoch: 2)), at: .zero)
        #expect(session.handle(.received(envelope(.standby(stage), epoch: 1)), at: .zero) == [.drop(.olderEpoch)])
        for _ in 1...2 {
            #expect(
                session.handle(.received(envelope(.standby(stage), epoch: 3)), at: .zero)
                    == [.keepReady(stage, Epoch(3), weights: nil)])
        }
        let failure = WorkerFailure(kind: .loading, message: "m", isRetryable: true)
        #expect(session.handle(.report(.failure(failure, Epoch(3))), at: .zero) == [.send(.failure(failure), Epoch(3))])
        var other = stage
        other.ranks[0].peer.node = .coordinator
        #expect(session.handle(.received(envelope(.standby(other), epoch: 3)), at: .zero) == [.drop(.malformed)])
    }

    @Test func `a worker that is told to leave says so and ends`() {
        var session = welcomed()
        #expect(
            session.handle(
                .received(envelope(.leave(Leave(reason: "the cluster is shutting down")), epoch: 2)), at: .zero)
                == [.send(.leave(Leave(reason: "the cluster is shutting down")), Epoch(0)), .end(.stopped)])
        #expect(session.nextDeadline == nil)
    }

    @Test func `messages of another cluster and out of place are dropped`() {
        var session = ControlSession(node: Self.node, clusterID: "c", at: .zero)
        #expect(
            session.handle(.received(envelope(welcome, cluster: "d")), at: .zero) == [.drop(.otherCluster)])
        #expect(
            session.handle(.received(envelope(.assignment(stage), epoch: 1)), at: .zero)
                == [.drop(.unexpectedMessage)])
        session = welcomed()
        #expect(
            session.handle(
                .received(
                    envelope(
                        .heartbeat(
                            .init(
                                number: 1, memoryUsedByteCount: 0, memoryFreeByteCount: 0, keyValueTokenCount: 0,
                                keyValueTokenCapacity: 0, computedTokenCount: 0, droppedFrameCount: 0, roundTrip: nil)))
                ), at: .zero)
                == [.drop(.unexpectedMessage)])
    }

    @Test func `a refusal, another version, a break and a stop each end the session once`() {
        var session = welcomed()
        // Also in another cluster's name: that may be the reason.
        let refusal = envelope(.refusal(Refusal(reason: "no")), cluster: "d")
        #expect(session.handle(.received(refusal), at: .zero) == [.end(.refused(reason: "no"))])
        #expect(session.handle(.tick, at: .seconds(9)) == [])
        #expect(session.nextDeadline == nil)

        session = welcomed()
        #expect(session.handle(.receivedOtherVersion(7), at: .zero) == [.end(.otherVersion(7))])
        session = welcomed()
        #expect(session.handle(.report(.broken("b")), at: .zero) == [.end(.failed("b"))])
        session = welcomed()
        #expect(
            session.handle(.stop(reason: "r"), at: .zero)
                == [.send(.leave(Leave(reason: "r")), Epoch(0)), .end(.stopped)])
        session = ControlSession(node: Self.node, clusterID: "c", at: .zero)
        #expect(session.handle(.stop(reason: "r"), at: .zero) == [.end(.stopped)])
    }
}
