import ClusterCore
import Testing
import Transport

/// Spares that load in advance what they may have to take over.
struct PlacementStandbyTests {
    private static let peer = PlacementTests.peer
    private static let opened = PlacementTests.opened

    /// A placement that keeps spares warm, to which all of these have joined, and what it had spares prepare.
    private static func serving(
        _ count: Int, _ nodes: [NodeID], isWarm: Bool = true
    ) throws -> (Placement, [NodeID: StageAssignment]) {
        var configuration = try PlacementTests.configuration(.count(count))
        configuration.keepsSparesWarm = isWarm
        configuration.loadingTimeout = .seconds(20)
        var placement = try Placement(configuration: configuration)
        for node in nodes { _ = placement.handle(.joined(peer(node)), at: .zero) }
        let effects = load(&placement, at: .zero)
        return (placement, prepared(effects))
    }

    private static func load(_ placement: inout Placement, at now: Instant) -> [Placement.Effect] {
        guard let pipeline = placement.pipeline else { return [] }
        return pipeline.nodes.flatMap {
            placement.handle(.ready($0, pipeline.epoch, PlacementTests.loaded), at: now)
        }
    }

    private static func prepared(_ effects: [Placement.Effect]) -> [NodeID: StageAssignment] {
        var prepared: [NodeID: StageAssignment] = [:]
        for case .prepare(let node, let assignment) in effects { prepared[node] = assignment }
        return prepared
    }

    @Test func `each spare loads what another place needs, and takes it without delay`() throws {
        var (placement, prepared) = try Self.serving(2, [a, b, c, d])
        #expect(prepared.count == 2)
        let first = try #require(prepared[c])
        let second = try #require(prepared[d])
        // The first stage has the embedding besides.
        #expect(first.stage == 0 && second.stage == 1)
        #expect(first.ranks.map(\.peer.node) == [c] && second.ranks.map(\.peer.node) == [d])
        #expect(placement.isPreparing && placement.standby(of: d)?.isWarm == false)
        _ = placement.handle(.holds(c, part: first.partDigest), at: .seconds(1))
        _ = placement.handle(.holds(d, part: second.partDigest), at: .seconds(1))
        #expect(!placement.isPreparing)
        #expect(
            placement.standby(of: d)
                == StandbyHealth(stage: 1, rank: 0, firstLayer: 3, endLayer: 6, isWarm: true))
        // Not the one that joined first.
        let (pipeline, assignments) = try #require(
            Self.opened(placement.handle(.gone(b, reason: "silent"), at: .seconds(2))))
        #expect(pipeline.nodes == [a, d])
        #expect(assignments[1].needsSamePart(as: second) && assignments[1].partDigest == second.partDigest)
        #expect(placement.standby(of: c) == nil)
        // The one that is left keeps what it has.
        #expect(Self.prepared(Self.load(&placement, at: .seconds(3))).isEmpty)
        #expect(placement.standby(of: c)?.isWarm == true)
    }

    @Test func `cold spares load nothing`() throws {
        let (placement, prepared) = try Self.serving(2, [a, b, c], isWarm: false)
        #expect(prepared.isEmpty && placement.standby(of: c) == nil)
    }

    @Test func `a spare that could not load stays cold, says why, and is asked again where that can help`() throws {
        for isRetryable in [true, false] {
            var (placement, _) = try Self.serving(1, [a, b])
            let failed = Placement.Event.standbyFailed(b, message: "too little memory", isRetryable: isRetryable)
            #expect(placement.handle(failed, at: .seconds(1)) == [])
            #expect(placement.standby(of: b)?.problem == "too little memory")
            #expect(!placement.isPreparing)
            #expect(placement.nextDeadline == (isRetryable ? .seconds(61) : nil))
            #expect(placement.retryTime(of: b) == (isRetryable ? .seconds(61) : nil))
            #expect(Self.prepared(placement.handle(.tick, at: .seconds(60))).isEmpty)
            #expect(Self.prepared(placement.handle(.tick, at: .seconds(61))).isEmpty == !isRetryable)
            // It takes over all the same.
            #expect(Self.opened(placement.handle(.gone(a, reason: "silent"), at: .seconds(62)))?.pipeline.nodes == [b])
        }
    }

    @Test func `a spare that says nothing for too long counts as cold`() throws {
        var (placement, _) = try Self.serving(1, [a, b])
        #expect(placement.nextDeadline == .seconds(20))
        _ = placement.handle(.tick, at: .seconds(20))
        #expect(placement.standby(of: b)?.problem == "its part was not loaded within 20.0 s")
    }

    @Test func `one that connects anew before it is warm is told again`() throws {
        var (placement, prepared) = try Self.serving(1, [a, b])
        #expect(Self.prepared(placement.handle(.returned(Self.peer(b)), at: .seconds(1))) == prepared)
        _ = placement.handle(.holds(b, part: try #require(prepared[b]).partDigest), at: .seconds(2))
        #expect(Self.prepared(placement.handle(.returned(Self.peer(b)), at: .seconds(3))).isEmpty)
    }

    @Test func `one that comes back with its old part covers the place that it had`() throws {
        var (placement, _) = try Self.serving(2, [a, b, c])
        let old = try #require(placement.pipeline?.nodes.firstIndex(of: a))
        let digest = try #require(Self.digest(of: old, in: placement))
        #expect(Self.opened(placement.handle(.gone(a, reason: "frozen"), at: .seconds(1)))?.pipeline.nodes == [c, b])
        _ = Self.load(&placement, at: .seconds(1))
        // It says what it holds before it has done anything else.
        _ = placement.handle(.joined(Self.peer(a)), at: .seconds(2))
        _ = placement.handle(.holds(a, part: digest), at: .seconds(2))
        #expect(Self.opened(placement.handle(.gone(c, reason: "silent"), at: .seconds(3)))?.pipeline.nodes == [a, b])
    }

    private static func digest(of position: Int, in placement: Placement) -> UInt64? {
        var trial = placement
        let effects = trial.handle(.stalled(nil, reason: "again"), at: .zero)
        return opened(effects)?.assignments[position].partDigest
    }

    @Test func `a drained spare covers nothing, and another takes what it covered`() throws {
        var (placement, prepared) = try Self.serving(1, [a, b])
        #expect(prepared[b] != nil)
        _ = placement.handle(.drained(b), at: .seconds(1))
        #expect(placement.standby(of: b) == nil)
        #expect(Self.prepared(placement.handle(.joined(Self.peer(c)), at: .seconds(2)))[c] != nil)
    }

    @Test func `a warm spare that was drained and let go of its part after its resume is told again at once`() throws {
        var (placement, prepared) = try Self.serving(1, [a, b])
        let part = try #require(prepared[b]).partDigest
        _ = placement.handle(.holds(b, part: part), at: .seconds(1))
        _ = placement.handle(.drained(b), at: .seconds(2))
        // As far as is known it still has what it was told to let go of.
        #expect(Self.prepared(placement.handle(.resumed(b), at: .seconds(3))).isEmpty)
        #expect(placement.standby(of: b)?.isWarm == true)
        #expect(Self.prepared(placement.handle(.holds(b, part: 0), at: .seconds(3.5))) == prepared)
        #expect(placement.standby(of: b)?.isWarm == false && placement.isPreparing)
        _ = placement.handle(.holds(b, part: part), at: .seconds(4))
        #expect(placement.standby(of: b)?.isWarm == true)
    }
}
