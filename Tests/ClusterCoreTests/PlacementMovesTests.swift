import ClusterCore
import Testing
import Transport

/// Moves that nobody was lost for.
struct PlacementMovesTests {
    private static let peer = PlacementTests.peer
    private static let opened = PlacementTests.opened

    /// A placement of so many workers that serves, and to which all of these have joined.
    private static func serving(_ count: Int, _ nodes: [NodeID], shape: [Int]? = nil) throws -> Placement {
        var placement = try Placement(configuration: PlacementTests.configuration(.count(count), shape: shape))
        for node in nodes { _ = placement.handle(.joined(peer(node)), at: .zero) }
        load(&placement, at: .zero)
        return placement
    }

    /// All that have a place say that they have loaded it.
    private static func load(_ placement: inout Placement, at now: Instant) {
        guard let pipeline = placement.pipeline else { return }
        for node in pipeline.nodes {
            _ = placement.handle(.ready(node, pipeline.epoch, PlacementTests.loaded), at: now)
        }
    }

    /// What the spare is told to load, if it is told that alone.
    private static func prepared(_ effects: [Placement.Effect], by spare: NodeID) throws -> UInt64 {
        guard effects.count == 1, case .prepare(spare, let assignment)? = effects.first else {
            Issue.record("\(spare) is not to load anything: \(effects)")
            return 0
        }
        return assignment.partDigest
    }

    @Test func `a spare takes the place of a drained worker when it has loaded its part, and nobody is to blame`()
        throws
    {
        var placement = try Self.serving(2, [a, b, c])
        let first = try #require(placement.pipeline)
        let part = try Self.prepared(placement.handle(.drained(a), at: .seconds(1)), by: c)
        #expect(placement.isServing && placement.pipeline == first)
        #expect(
            placement.problem(at: .seconds(1)) == "a is being drained: c is to take over when it has loaded the part")
        #expect(placement.handle(.tick, at: .seconds(2)) == [])
        let effects = placement.handle(.holds(c, part: part), at: .seconds(2))
        #expect(effects.first == .ended(first, node: a, reason: "it is drained", isLoss: false))
        #expect(Self.opened(effects)?.pipeline.nodes == [c, b])
        #expect(placement.isDrained(a) && !placement.isSpare(a))
        Self.load(&placement, at: .seconds(2))
        #expect(placement.problem(at: .seconds(2)) == nil)
    }

    @Test func `a spare that does not load it takes over all the same`() throws {
        let outcomes: [(Placement.Event, Double)] = [
            (.standbyFailed(c, message: "no memory", isRetryable: true), 2), (.returned(Self.peer(c)), 2), (.tick, 601),
            (.drained(b), 2),
        ]
        for (event, time) in outcomes {
            var placement = try Self.serving(2, [a, b, c])
            _ = try Self.prepared(placement.handle(.drained(a), at: .seconds(1)), by: c)
            #expect(placement.nextDeadline == .seconds(601))
            let nodes = Self.opened(placement.handle(event, at: .seconds(time)))?.pipeline.nodes
            #expect(nodes == (event == .drained(b) ? [c] : [c, b]), "\(event)")
        }
    }

    @Test func `a spare that comes further is waited for, and nobody is once the drain is forced`() throws {
        var placement = try Self.serving(2, [a, b, c])
        _ = try Self.prepared(placement.handle(.drained(a), at: .seconds(1)), by: c)
        #expect(placement.handle(.progressed(c), at: .seconds(500)) == [])
        #expect(placement.handle(.tick, at: .seconds(601)) == [] && placement.nextDeadline == .seconds(1100))
        #expect(placement.handle(.drained(a), at: .seconds(602)) == [])
        let effects = placement.handle(.drained(a, isForced: true), at: .seconds(603))
        #expect(Self.opened(effects)?.pipeline.nodes == [c, b])
    }

    @Test func `a drain is off when its worker is resumed, and over when it or its spare is lost`() throws {
        var placement = try Self.serving(2, [a, b, c])
        let part = try Self.prepared(placement.handle(.drained(a), at: .seconds(1)), by: c)
        #expect(placement.handle(.resumed(a), at: .seconds(2)) == [])
        #expect(placement.handle(.holds(c, part: part), at: .seconds(3)) == [])
        #expect(placement.pipeline?.nodes == [a, b] && placement.nextDeadline == nil)
        for lost in [a, c] {
            placement = try Self.serving(2, [a, b, c])
            _ = placement.handle(.drained(a), at: .seconds(1))
            let next = Self.opened(placement.handle(.gone(lost, reason: "silent"), at: .seconds(2)))?.pipeline.nodes
            #expect(next == (lost == a ? [c, b] : [b]))
        }
    }

    @Test func `without a spare those that are left take over at once`() throws {
        var placement = try Self.serving(3, [a, b, c])
        #expect(Self.opened(placement.handle(.drained(b), at: .seconds(1)))?.pipeline.nodes == [a, c])
        Self.load(&placement, at: .seconds(2))
        #expect(placement.problem(at: .seconds(2)) == "waiting for 1 of 3 workers (drained: b)")
        // One that is lost meanwhile is waited for, as ever.
        #expect(Self.opened(placement.handle(.gone(c, reason: "silent"), at: .seconds(3))) == nil)
        #expect(Self.opened(placement.handle(.tick, at: .seconds(8)))?.pipeline.nodes == [a])
    }

    @Test func `a drained worker stays out of use under a new process, until it is resumed`() throws {
        var placement = try Self.serving(2, [a, b])
        _ = placement.handle(.drained(b), at: .seconds(1))
        Self.load(&placement, at: .seconds(1))
        _ = placement.handle(.gone(b, reason: "it left"), at: .seconds(2))
        #expect(placement.handle(.joined(Self.peer(b)), at: .seconds(3)) == [])
        #expect(placement.isDrained(b) && placement.betterSince == nil)
        _ = placement.handle(.gone(a, reason: "silent"), at: .seconds(4))
        #expect(placement.handle(.tick, at: .seconds(100)) == [])
        #expect(Self.opened(placement.handle(.resumed(b), at: .seconds(101)))?.pipeline.nodes == [b])
    }

    @Test func `what is drained twice is drained once`() throws {
        var placement = try Self.serving(1, [a, b])
        #expect(placement.handle(.drained(b), at: .seconds(1)) == [])
        #expect(placement.handle(.drained(b), at: .seconds(2)) == [])
        #expect(placement.handle(.resumed(b), at: .seconds(3)) == [])
        #expect(!placement.isDrained(b) && placement.isSpare(b))
    }

    @Test func `a worker that comes to a placement too small is brought in when that is wanted`() throws {
        var placement = try Self.serving(3, [a, b, c])
        _ = placement.handle(.gone(b, reason: "silent"), at: .seconds(1))
        _ = placement.handle(.tick, at: .seconds(6))
        #expect(placement.pipeline?.nodes == [a, c])
        Self.load(&placement, at: .seconds(7))
        #expect(placement.handle(.rebalance, at: .seconds(8)) == [])
        #expect(placement.betterSince == nil)
        _ = placement.handle(.joined(Self.peer(b)), at: .seconds(9))
        #expect(placement.betterSince == .seconds(9))
        #expect(placement.problem(at: .seconds(9))?.hasPrefix("placed on 2 of the 3 workers that are there") == true)
        let effects = placement.handle(.rebalance, at: .seconds(10))
        guard case .ended(_, nil, _, isLoss: false)? = effects.first else {
            Issue.record("the smaller placement goes on: \(effects)")
            return
        }
        #expect(Self.opened(effects)?.pipeline.nodes.sorted() == [a, b, c])
        #expect(placement.betterSince == nil)
        Self.load(&placement, at: .seconds(11))
        #expect(placement.problem(at: .seconds(11)) == nil)
    }

    @Test func `where a newcomer cannot load its part, those before it take over at once, and it is not asked again`()
        throws
    {
        var placement = try Self.serving(2, [a, b])
        _ = placement.handle(.gone(b, reason: "silent"), at: .seconds(1))
        _ = placement.handle(.tick, at: .seconds(6))
        Self.load(&placement, at: .seconds(7))
        _ = placement.handle(.joined(Self.peer(b)), at: .seconds(8))
        let wide = try #require(Self.opened(placement.handle(.rebalance, at: .seconds(9)))).pipeline
        let failed = Placement.Event.loadingFailed(b, wide.epoch, message: "no memory", isRetryable: true)
        #expect(Self.opened(placement.handle(failed, at: .seconds(10)))?.pipeline.nodes == [a])
        Self.load(&placement, at: .seconds(11))
        _ = placement.handle(.tick, at: .seconds(100))
        #expect(placement.betterSince == nil)
        // But an operator may ask.
        #expect(Self.opened(placement.handle(.rebalance, at: .seconds(101)))?.pipeline.nodes.sorted() == [a, b])
    }

    @Test func `a newcomer without the memory for its share is not brought in`() throws {
        var placement = try Self.serving(2, [a, b])
        _ = placement.handle(.gone(b, reason: "silent"), at: .seconds(1))
        _ = placement.handle(.tick, at: .seconds(6))
        Self.load(&placement, at: .seconds(7))
        _ = placement.handle(.joined(Self.peer(b)), at: .seconds(8))
        _ = placement.handle(.memory(b, availableByteCount: 1), at: .seconds(8))
        #expect(placement.handle(.rebalance, at: .seconds(9)) == [])
        #expect(placement.betterSince == nil && placement.isServing)
    }

    @Test func `when it is closed nothing is placed any more`() throws {
        var placement = try Self.serving(1, [a, b])
        let pipeline = try #require(placement.pipeline)
        #expect(
            placement.handle(.closed, at: .zero)
                == [.ended(pipeline, node: nil, reason: "the cluster is shutting down", isLoss: false)])
        #expect(placement.handle(.joined(Self.peer(c)), at: .zero) == [])
        #expect(placement.handle(.tick, at: .seconds(100)) == [])
        #expect(placement.problem(at: .zero) == "the cluster is shutting down")
    }

    @Test func `where its spare is lost and nobody else can take over, a worker that is being drained goes on`() throws
    {
        var placement = try Self.serving(2, [a, b, c], shape: [2])
        _ = try Self.prepared(placement.handle(.drained(a), at: .seconds(1)), by: c)
        #expect(placement.handle(.gone(c, reason: "silent"), at: .seconds(2)) == [])
        #expect(placement.pipeline?.nodes == [a, b] && placement.isDrained(a))
        #expect(Self.opened(placement.handle(.joined(Self.peer(d)), at: .seconds(3)))?.pipeline.nodes == [d, b])
    }

    @Test func `workers that a coordinator before this one lost are not waited for for ever`() throws {
        var placement = try Placement(configuration: PlacementTests.configuration(.count(2)))
        #expect(placement.handle(.continued, at: .seconds(1)) == [])
        _ = placement.handle(.joined(Self.peer(a)), at: .seconds(2))
        #expect(placement.nextDeadline == .seconds(6))
        #expect(Self.opened(placement.handle(.tick, at: .seconds(6)))?.pipeline.nodes == [a])
    }
}
