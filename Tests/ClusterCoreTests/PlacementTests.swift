import ClusterCore
import TestSupport
import Testing
import Transport

struct PlacementTests {
    static func configuration(
        _ selection: WorkerSelection, shape: [Int]? = nil, layerCount: Int = 6
    ) throws -> PlacementConfiguration {
        let layout = try ModelLayout(
            layerByteCounts: [UInt64](repeating: 10, count: layerCount), embeddingByteCount: 5, headByteCount: 0)
        return PlacementConfiguration(
            selection: selection, shape: shape, layout: layout, parts: parts, modelFile: .test, contextLength: 512,
            keyValueTokenCapacity: 1024,
            maximumStepRowCount: 64, headPrecision: .stored, firstEpoch: Epoch(7))
    }

    /// 5 KV heads, 8 feed-forward blocks and 2 chunks of the vocabulary.
    static let parts = RankParts(keyValueHeadCount: 5, feedForwardSize: 1800, vocabularySize: 1000)

    static func peer(_ node: NodeID) -> Peer { Peer(node: node, dataEndpoint: "tcp://\(node):1") }

    static let loaded = StageReady(weightsByteCount: 30, keyValueTokenCapacity: 1024)

    static func opened(_ effects: [Placement.Effect]) -> (pipeline: PlacedPipeline, assignments: [StageAssignment])? {
        for case .opened(let pipeline, let assignments) in effects { return (pipeline, assignments) }
        return nil
    }

    @Test func `two workers in any order become two stages in order of name`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        #expect(placement.problem(at: .zero) == "waiting for 2 of 2 workers")
        #expect(placement.handle(.joined(Self.peer(b)), at: .zero) == [])
        #expect(placement.problem(at: .zero) == "waiting for 1 of 2 workers")
        let (pipeline, assignments) = try #require(Self.opened(placement.handle(.joined(Self.peer(a)), at: .zero)))
        #expect(pipeline.epoch == Epoch(7))
        #expect(pipeline.nodes == [a, b])
        #expect(
            assignments == [
                StageAssignment(
                    modelFile: .test, stage: 0, stageCount: 2, rank: 0,
                    ranks: [StageRank(peer: Self.peer(a), share: Self.parts.whole)], layers: 0..<3,
                    next: [Self.peer(b)],
                    previous: .coordinator, contextLength: 512, keyValueTokenCapacity: 1024, maximumStepRowCount: 64,
                    headPrecision: .stored),
                StageAssignment(
                    modelFile: .test, stage: 1, stageCount: 2, rank: 0,
                    ranks: [StageRank(peer: Self.peer(b), share: Self.parts.whole)], layers: 3..<6, next: [],
                    previous: a,
                    contextLength: 512, keyValueTokenCapacity: 1024, maximumStepRowCount: 64, headPrecision: .stored),
            ])
        #expect(placement.problem(at: .zero) == "a, b still loading")
        _ = placement.handle(.ready(b, Epoch(7), Self.loaded), at: .zero)
        #expect(!placement.isServing)
        #expect(placement.problem(at: .zero) == "a still loading")
        let small = StageReady(weightsByteCount: 30, keyValueTokenCapacity: 512)
        #expect(
            placement.handle(.ready(a, Epoch(7), small), at: .zero)
                == [.detail(a, ""), .serving(pipeline, keyValueTokenCapacity: 512)])
        #expect(placement.isServing)
        #expect(placement.problem(at: .zero) == nil)
    }

    @Test func `a third worker is a spare and takes a lost one's place in a new epoch`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        let first = try #require(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))).pipeline
        #expect(placement.handle(.joined(Self.peer(c)), at: .zero) == [])
        _ = placement.handle(.ready(a, first.epoch, Self.loaded), at: .zero)
        _ = placement.handle(.ready(b, first.epoch, Self.loaded), at: .zero)
        let effects = placement.handle(.gone(a, reason: "silent for 2.0 s"), at: .zero)
        #expect(effects.first == .ended(first, node: a, reason: "silent for 2.0 s"))
        let second = try #require(Self.opened(effects)).pipeline
        #expect(second.epoch == Epoch(8))
        // The one that stays keeps what it has loaded.
        #expect(second.nodes == [c, b])
        #expect(second.place(of: b) == first.place(of: b))
    }

    @Test func `the loss of a spare changes nothing`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.joined(Self.peer(b)), at: .zero)
        #expect(placement.handle(.gone(b, reason: "silent"), at: .zero) == [])
        #expect(placement.pipeline?.nodes == [a])
    }

    @Test func `service ends with a worker and comes back with it`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        let first = try #require(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))).pipeline
        #expect(placement.handle(.gone(b, reason: "silent"), at: .zero) == [.ended(first, node: b, reason: "silent")])
        #expect(placement.problem(at: .zero) == "waiting for 1 of 2 workers")
        #expect(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))?.pipeline.epoch == Epoch(8))
    }

    /// Two workers serve, and b goes at ten seconds.
    private static func bereaved(
        _ selection: WorkerSelection = .count(2), shape: [Int]? = nil, memory: UInt64? = nil
    ) throws -> (placement: Placement, first: PlacedPipeline, effects: [Placement.Effect]) {
        var configuration = try Self.configuration(selection, shape: shape)
        configuration.keyValueByteCount = 2
        var placement = try Placement(configuration: configuration)
        let joined = [a, b].flatMap { placement.handle(.joined(Self.peer($0)), at: .zero) }
        if let memory { _ = placement.handle(.memory(a, availableByteCount: memory), at: .zero) }
        let first = try #require(Self.opened(joined)).pipeline
        for node in [a, b] { _ = placement.handle(.ready(node, first.epoch, Self.loaded), at: .zero) }
        let effects = placement.handle(.gone(b, reason: "silent"), at: .seconds(10))
        return (placement, first, effects)
    }

    @Test func `without a spare those that are left take over after a while`() throws {
        var (placement, first, effects) = try Self.bereaved()
        #expect(effects == [.ended(first, node: b, reason: "silent")])
        #expect(
            placement.problem(at: .seconds(10))
                == "waiting for 1 of 2 workers; in 5 s the model is placed on 1")
        #expect(placement.nextDeadline == .seconds(15))
        #expect(placement.handle(.tick, at: .seconds(14.9)) == [])
        let second = try #require(Self.opened(placement.handle(.tick, at: .seconds(15)))).pipeline
        #expect(second.epoch == Epoch(8))
        #expect(second.nodes == [a])
        #expect(second.stages.map(\.layers) == [0..<6])
        _ = placement.handle(.ready(a, Epoch(8), Self.loaded), at: .seconds(16))
        #expect(placement.problem(at: .seconds(16)) == "waiting for 1 of 2 workers")
        // One that returns is a spare until it is needed.
        #expect(placement.handle(.joined(Self.peer(b)), at: .seconds(17)) == [])
        let third = Self.opened(placement.handle(.gone(a, reason: "silent"), at: .seconds(18)))
        #expect(third == nil)
        #expect(Self.opened(placement.handle(.tick, at: .seconds(23)))?.pipeline.nodes == [b])
    }

    @Test func `one that comes back in time takes its old place`() throws {
        var (placement, _, _) = try Self.bereaved()
        let second = try #require(Self.opened(placement.handle(.joined(Self.peer(b)), at: .seconds(11)))).pipeline
        #expect(second.nodes == [a, b])
        #expect(second.stages.map(\.layers) == [0..<3, 3..<6])
    }

    @Test func `a placement that the operator has fixed waits for a replacement`() throws {
        let named = WorkerSelection.named([NamedWorker(node: a, layers: 0..<3), NamedWorker(node: b, layers: 3..<6)])
        for (selection, shape) in [(WorkerSelection.count(2), [1, 1]), (.count(2), [2]), (named, nil)] {
            var placement = try Self.bereaved(selection, shape: shape).placement
            #expect(placement.problem(at: .seconds(10)) == "waiting for 1 of 2 workers")
            #expect(placement.nextDeadline == nil)
            #expect(placement.handle(.tick, at: .seconds(1000)) == [])
        }
        let free = WorkerSelection.named([NamedWorker(node: a), NamedWorker(node: b)])
        var placement = try Self.bereaved(free).placement
        #expect(Self.opened(placement.handle(.tick, at: .seconds(15)))?.pipeline.nodes == [a])
    }

    @Test func `those that are left take over only with memory enough, and it is said what is missing`() throws {
        // 6 layers of 10 bytes, 5 of embedding, 2 bytes of KV cache for each of 1024 tokens in each layer.
        let needs: UInt64 = 65 + 6 * 1024 * 2
        var (placement, _, _) = try Self.bereaved(memory: needs - 1)
        #expect(
            placement.problem(at: .seconds(10))
                == "waiting for 1 of 2 workers; those left cannot hold the model: a needs 1 MiB of memory and has 1 MiB"
        )
        #expect(placement.nextDeadline == nil)
        #expect(placement.handle(.tick, at: .seconds(20)) == [])
        let effects = placement.handle(.memory(a, availableByteCount: needs), at: .seconds(21))
        #expect(Self.opened(effects)?.pipeline.nodes == [a])
    }

    @Test func `at the start all workers are waited for, however long`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.joined(Self.peer(b)), at: .zero)
        _ = placement.handle(.gone(b, reason: "silent"), at: .seconds(1))
        #expect(placement.handle(.tick, at: .seconds(1000)) == [])
        #expect(placement.problem(at: .seconds(1000)) == "waiting for 1 of 2 workers")
    }

    @Test func `a worker that has failed takes a place only after those that have not`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        for node in [a, b, c] { _ = placement.handle(.joined(Self.peer(node)), at: .zero) }
        #expect(placement.pipeline?.nodes == [a])
        _ = placement.handle(.stalled(a, reason: "no result"), at: .zero)
        #expect(placement.pipeline?.nodes == [b])
        _ = placement.handle(.tick, at: .seconds(2))
        #expect(placement.problem(at: .seconds(2)) == "b still loading")
        _ = placement.handle(.gone(b, reason: "silent"), at: .seconds(3))
        #expect(placement.pipeline?.nodes == [c])
    }

    @Test func `epochs only grow, whoever goes while others take over`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        var random = SeededGenerator(seed: 11)
        var last = Epoch(0)
        var now = 0.0
        var present: Set<NodeID> = []
        for _ in 0..<2000 {
            now += Double.random(in: 0...3, using: &random)
            let node = [a, b, c, d].randomElement(using: &random) ?? a
            let epoch = placement.pipeline?.epoch ?? Epoch(0)
            let event: Placement.Event
            switch Int.random(in: 0..<6, using: &random) {
            case 0: event = .joined(Self.peer(node)); present.insert(node)
            case 1: event = .gone(node, reason: "silent"); present.remove(node)
            case 2, 3: event = .ready(node, epoch, Self.loaded)
            case 4: event = .stalled(node, reason: "no result")
            default: event = .tick
            }
            if let (pipeline, _) = Self.opened(placement.handle(event, at: .seconds(now))) {
                #expect(pipeline.epoch > last)
                #expect(present.isSuperset(of: pipeline.nodes))
                #expect(Set(pipeline.nodes).count == pipeline.nodes.count)
                last = pipeline.epoch
            }
            #expect(present.isSuperset(of: placement.pipeline?.nodes ?? []))
        }
        #expect(last > Epoch(50))
    }

    @Test func `an answer of an older epoch does not count`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.gone(a, reason: "silent"), at: .zero)
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        #expect(placement.handle(.ready(a, Epoch(7), Self.loaded), at: .zero) == [])
        #expect(!placement.isServing)
        _ = placement.handle(.ready(a, Epoch(8), Self.loaded), at: .zero)
        #expect(placement.isServing)
    }

    @Test func `a part that cannot be loaded now is tried again, later each time`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        var now = 0.0
        for (attempt, delay) in [2.0, 4, 8, 16, 32, 60, 60].enumerated() {
            let epoch = try #require(placement.pipeline).epoch
            #expect(epoch == Epoch(7 + UInt64(attempt)))
            let effects = placement.handle(
                .loadingFailed(a, epoch, message: "no memory", isRetryable: true), at: .seconds(now))
            #expect(effects.last == .detail(a, "no memory"))
            #expect(placement.problem(at: .seconds(now)) == "worker a: no memory; next try in \(Int(delay)) s")
            #expect(placement.nextDeadline == .seconds(now + delay))
            #expect(placement.handle(.tick, at: .seconds(now + delay - 0.001)) == [])
            now += delay
            #expect(Self.opened(placement.handle(.tick, at: .seconds(now))) != nil)
        }
    }

    @Test func `a part that can never be loaded waits for a new process, or for a spare`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.loadingFailed(a, Epoch(7), message: "wrong file", isRetryable: false), at: .zero)
        #expect(placement.nextDeadline == nil)
        #expect(placement.handle(.tick, at: .seconds(1_000_000)) == [])
        #expect(placement.problem(at: .zero) == "worker a: wrong file; remove the cause and start it again")
        #expect(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))?.pipeline.nodes == [b])
        _ = placement.handle(.gone(b, reason: "silent"), at: .zero)
        #expect(placement.pipeline == nil)
        #expect(Self.opened(placement.handle(.joined(Self.peer(a)), at: .zero))?.pipeline.nodes == [a])
        #expect(placement.problem(at: .zero) == "a still loading")
    }

    @Test func `a worker that never finishes loading is set aside`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        #expect(placement.nextDeadline == .seconds(600))
        let effects = placement.handle(.tick, at: .seconds(600))
        #expect(effects.contains(.detail(a, "its part was not loaded within 600.0 s")))
        #expect(placement.pipeline == nil)
    }

    @Test func `a worker that comes further with loading is waited for, the others are not`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(2)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        _ = placement.handle(.joined(Self.peer(b)), at: .zero)
        _ = placement.handle(.progressed(a), at: .seconds(400))
        _ = placement.handle(.progressed(b), at: .seconds(100))
        #expect(placement.nextDeadline == .seconds(700))
        #expect(placement.handle(.tick, at: .seconds(699)) == [])
        _ = placement.handle(.progressed(b), at: .seconds(500))
        #expect(placement.nextDeadline == .seconds(1000))
        let effects = placement.handle(.tick, at: .seconds(1000))
        #expect(effects.contains(.detail(a, "its part was not loaded within 600.0 s")))
        #expect(!effects.contains { if case .detail(b, _) = $0 { true } else { false } })
        #expect(placement.pipeline == nil)
    }

    @Test func `a stage that lost its connection while loading is asked again in a new epoch`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(1)))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        #expect(Self.opened(placement.handle(.returned(Self.peer(a)), at: .zero))?.pipeline.epoch == Epoch(8))
        _ = placement.handle(.ready(a, Epoch(8), Self.loaded), at: .zero)
        #expect(placement.handle(.returned(Self.peer(a)), at: .zero) == [])
        #expect(placement.isServing)
    }

    @Test func `named workers hold the layers that they are given, others are spares`() throws {
        let selection = WorkerSelection.named([
            NamedWorker(node: b, layers: 0..<1), NamedWorker(node: a, layers: 1..<6),
        ])
        var placement = try Placement(configuration: Self.configuration(selection))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        #expect(placement.handle(.joined(Self.peer(c)), at: .zero) == [])
        #expect(placement.problem(at: .zero) == "waiting for 1 of 2 workers")
        let pipeline = try #require(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))).pipeline
        #expect(pipeline.nodes == [b, a])
        #expect(pipeline.stages.map(\.layers) == [0..<1, 1..<6])
    }

    @Test func `layers that do not fit the model are refused from the start`() throws {
        let selection = WorkerSelection.named([
            NamedWorker(node: b, layers: 0..<1), NamedWorker(node: a, layers: 1..<5),
        ])
        let configuration = try Self.configuration(selection)
        #expect(throws: PlanningError.self) { try Placement(configuration: configuration) }
    }

    @Test func `of more workers than layers each of the first holds one layer`() throws {
        var placement = try Placement(configuration: Self.configuration(.count(3), layerCount: 2))
        _ = placement.handle(.joined(Self.peer(a)), at: .zero)
        let pipeline = try #require(Self.opened(placement.handle(.joined(Self.peer(b)), at: .zero))).pipeline
        #expect(pipeline.stages.map(\.layers) == [0..<1, 1..<2])
        _ = placement.handle(.ready(a, Epoch(7), Self.loaded), at: .zero)
        _ = placement.handle(.ready(b, Epoch(7), Self.loaded), at: .zero)
        #expect(placement.problem(at: .zero) == "waiting for 1 of 3 workers")
    }
}
