import ClusterCore
import Foundation
import Testing
import Transport

/// A coordinator's cores for two stages of two ranks: a and b, then c and d, on connections 1 to 4.
struct CoordinatorCoreRanksTests {
    var core: CoordinatorCore<Int>
    private let nodes = [a, b, c, d]

    init() throws {
        core = try CoordinatorCore(
            configuration: CoordinationConfiguration(
                clusterID: "test", modelName: "tiny", dataEndpoint: "tcp://head:1",
                heartbeatInterval: .milliseconds(250), membership: MembershipConfiguration(),
                placement: PlacementTests.configuration(.count(4), shape: [2, 2]),
                scheduler: SchedulerConfiguration(contextLength: 512, vocabularySize: 100, maximumStepRowCount: 128)))
    }

    mutating func hear(
        _ node: NodeID, _ body: Envelope.Body, epoch: UInt64 = 0, at now: Instant = .zero
    ) -> [CoordinatorCore<Int>.Effect] {
        let envelope = Envelope(clusterID: "test", epoch: Epoch(epoch), sender: node, body: body)
        return core.handle(.control(envelope, from: (nodes.firstIndex(of: node) ?? 9) + 1), at: now)
    }

    /// All workers join and load; what that led to.
    mutating func serve(epoch: UInt64 = 7) -> [CoordinatorCore<Int>.Effect] {
        nodes.flatMap { hear($0, .hello(.from($0))) }
            + nodes.flatMap { hear($0, .ready(PlacementTests.loaded), epoch: epoch) }
    }

    func sent(_ effects: [CoordinatorCore<Int>.Effect]) -> (step: Step, nodes: [NodeID])? {
        for case .sendStep(_, let step, let nodes) in effects where !step.slices.isEmpty { return (step, nodes) }
        return nil
    }

    mutating func answer(_ step: Step, by node: NodeID = c) -> [CoordinatorCore<Int>.Effect] {
        let slices = step.slices.map { SliceResult(sequence: $0.sequence, output: .sampled(TokenChoice(token: 5))) }
        let result = Envelope.Body.stepResult(StepResult(id: step.id, slices: slices))
        return core.handle(
            .data(Envelope(clusterID: "test", epoch: Epoch(7), sender: node, body: result)), at: .zero)
    }

    /// The cluster is healthy and has a request in flight.
    mutating func run(_ ticket: UInt64 = 1) throws -> Step {
        if !core.replicas[0].placement.isServing {
            let probe = try #require(sent(serve())).step
            _ = answer(probe)
        }
        return try #require(sent(core.handle(.submitted(Ticket(ticket), .generation(.prompt([1]))), at: .zero))).step
    }

    private func failure(_ kind: WorkerFailure.Kind, isRetryable: Bool = true) -> Envelope.Body {
        .failure(WorkerFailure(kind: kind, message: "no memory", isRetryable: isRetryable))
    }

    private func ends(_ effects: [CoordinatorCore<Int>.Effect]) -> Bool {
        effects.contains { if case .failed = $0 { true } else { false } }
    }

    @Test mutating func `steps go to every rank of the first stage, and rank 0 of the last one answers`() throws {
        let effects = serve()
        let entrances = [a, b].map { Peer(node: $0, dataEndpoint: "tcp://\($0):7071", hostID: "boot/1") }
        #expect(effects.contains(.connect(entrances)))
        let probe = try #require(sent(effects))
        #expect(probe.nodes == [a, b])
        #expect(answer(probe.step, by: d) == [])
        #expect(core.drops.count(.unexpectedMessage) == 1)
        #expect(core.health(at: .zero).state == .degraded)
        _ = answer(probe.step)
        #expect(core.health(at: .zero).state == .healthy)
    }

    @Test mutating func `health shows each node's stage, rank, layers and heads, and null for who has no place`() throws
    {
        _ = serve()
        let health = core.health(at: .zero).nodes
        #expect(health.map(\.stage) == [0, 0, 1, 1])
        #expect(health.map(\.rank) == [0, 1, 0, 1])
        #expect(health.map(\.endLayer) == [3, 3, 6, 6])
        #expect(health.map(\.firstKeyValueHead) == [0, 3, 0, 3])
        #expect(health.map(\.endKeyValueHead) == [3, 5, 3, 5])
        _ = core.handle(.tick, at: .seconds(2))
        let lost = try #require(core.health(at: .seconds(2)).nodes.first)
        let text = String(decoding: try JSONEncoder().encode(lost), as: UTF8.self)
        for key in ["stage", "rank", "first_layer", "end_layer", "first_key_value_head", "end_key_value_head"] {
            #expect(text.contains("\"\(key)\":null"))
        }
        #expect(try JSONDecoder().decode(NodeHealth.self, from: Data(text.utf8)) == lost)
    }

    @Test mutating func `one step's failure reported by several ranks counts once`() throws {
        let step = try run()
        let first = hear(c, failure(.step(step.id), isRetryable: false), epoch: 7)
        #expect(first.contains(.failed(Ticket(1), .workerFailed(node: "c", reason: "no memory"))))
        let next = try run(2)
        #expect(!ends(hear(d, failure(.step(step.id), isRetryable: false), epoch: 7)))
        #expect(answer(next).contains { if case .token(Ticket(2), _) = $0 { true } else { false } })
        #expect(core.replicas[0].placement.isServing)
    }

    @Test mutating func `the first rank that misses another's part ends the epoch, what others say of it is late`()
        throws
    {
        let step = try run()
        let effects = hear(d, failure(.exchange(step.id, with: c)), epoch: 7)
        let reason = "it did not give d its part of step \(step.id.number): no memory"
        #expect(
            effects.contains(.notice(.epochEnded(Epoch(7), node: c, reason: reason, openRequestCount: 1))))
        #expect(!ends(effects))
        #expect(hear(c, failure(.exchange(step.id, with: d)), epoch: 7) == [])
        #expect(core.drops.count(.olderEpoch) == 1)
        #expect(core.health(at: .zero).nodes.map(\.detail) == ["", "", reason, ""])
        #expect(core.health(at: .zero).reason == "worker c: \(reason); next try in 2 s")
        for node in nodes { _ = hear(node, .heartbeat(.number(1)), at: .seconds(1.9)) }
        _ = core.handle(.tick, at: .seconds(2))
        #expect(core.replicas[0].placement.pipeline?.epoch == Epoch(8))
        // Even now, when there is a new epoch.
        #expect(hear(c, failure(.exchange(step.id, with: d)), epoch: 7, at: .seconds(2)) == [])
        #expect(core.replicas[0].placement.pipeline?.epoch == Epoch(8))
    }

    @Test mutating func `a rank of the next stage that takes nothing ends the epoch, too`() throws {
        let step = try run()
        let effects = hear(a, failure(.exchange(step.id, with: c)), epoch: 7)
        let reason = "it did not take step \(step.id.number) from a: no memory"
        #expect(
            effects.contains(.notice(.epochEnded(Epoch(7), node: c, reason: reason, openRequestCount: 1))))
    }

    @Test mutating func `a rank can accuse only other ranks of its own stage and of the next one`() throws {
        let step = try run()
        for (accuser, accused) in [(a, a), (c, b), (d, e), (b, .coordinator)] {
            let before = core.drops.count(.malformed)
            #expect(hear(accuser, failure(.exchange(step.id, with: accused)), epoch: 7) == [])
            #expect(core.drops.count(.malformed) == before + 1)
        }
        #expect(core.replicas[0].placement.isServing)
        #expect(answer(step).contains { if case .token(Ticket(1), _) = $0 { true } else { false } })
    }

    @Test mutating func `a step that only some ranks could be sent ends the epoch by the name of the first without it`()
        throws
    {
        var step = try run()
        let refused = core.handle(.stepNotSent(step.id, Epoch(7), to: a, .refused("too large")), at: .zero)
        #expect(refused.contains(.failed(Ticket(1), .invalidRequest("too large"))))
        #expect(core.replicas[0].placement.isServing)
        step = try run(2)
        let effects = core.handle(.stepNotSent(step.id, Epoch(7), to: b, .refused("too large")), at: .zero)
        #expect(!ends(effects))
        #expect(core.health(at: .zero).nodes[1].detail.contains("too large"))
        #expect(!core.replicas[0].placement.isServing)
    }

    @Test(arguments: [([4, 4, 1, 4], "c"), ([4, 4, 4, 1], "d"), ([4, 1, 1, 1], "b"), ([4, 4, 1, 1], nil)])
    mutating func `the only rank of a stage that computes nothing is named when its step times out`(
        counts: [UInt64], name: String?
    ) throws {
        _ = try run()
        // The probe's row and that of the request: all have computed at least the probe.
        for beat in 1...120 as ClosedRange<UInt64> {
            for (node, count) in zip(nodes, counts) {
                _ = hear(
                    node, .heartbeat(.number(beat, computedTokenCount: count)), at: .seconds(Double(beat) * 0.25))
            }
        }
        let effects = core.handle(.tick, at: .seconds(30))
        #expect(!ends(effects))
        #expect(
            effects.contains(
                .notice(
                    .epochEnded(
                        Epoch(7), node: name.flatMap { NodeID($0) }, reason: "no result within 30 s",
                        openRequestCount: 1))))
    }
}
