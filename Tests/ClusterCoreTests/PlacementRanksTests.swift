import ClusterCore
import TestSupport
import Testing
import Transport

/// Placement over stages of several ranks.
struct PlacementRanksTests {
    private typealias Opened = (pipeline: PlacedPipeline, assignments: [StageAssignment])

    /// A placement that all `nodes` have joined, and the epoch that it opened then.
    private func placement(
        _ shape: [Int], _ nodes: [NodeID], _ selection: WorkerSelection? = nil
    ) throws -> (placement: Placement, opened: Opened) {
        let configuration = try PlacementTests.configuration(
            selection ?? .count(shape.reduce(0, +)), shape: shape, layerCount: 12)
        var placement = try Placement(configuration: configuration)
        let effects = nodes.flatMap { placement.handle(.joined(PlacementTests.peer($0)), at: .zero) }
        return (placement, try #require(PlacementTests.opened(effects)))
    }

    @Test func `workers fill the stages in order, and each is told its share and its neighbours`() throws {
        let (pipeline, assignments) = try placement([2, 1, 3], [f, e, d, c, b, a]).opened
        #expect(pipeline.stages.map(\.nodes) == [[a, b], [c], [d, e, f]])
        #expect(pipeline.nodes == [a, b, c, d, e, f])
        #expect(pipeline.stages.map(\.layers) == [0..<4, 4..<6, 6..<12])
        #expect(pipeline.entrances.map(\.node) == [a, b])
        #expect(pipeline.answering == d)
        #expect(pipeline.place(of: e)?.stage == 2 && pipeline.place(of: e)?.rank == 1)
        #expect(pipeline.place(of: .coordinator) == nil)
        #expect(pipeline.stages[0].ranks.map(\.share.keyValueHeads) == [0..<3, 3..<5])
        #expect(pipeline.stages[1].ranks.map(\.share) == [PlacementTests.parts.whole])
        #expect(pipeline.stages[2].ranks.map(\.share.feedForwardBlocks) == [0..<3, 3..<6, 6..<8])
        #expect(assignments.map(\.stage) == [0, 0, 1, 2, 2, 2])
        #expect(assignments.map(\.rank) == [0, 1, 0, 0, 1, 2])
        #expect(assignments.map { $0.next.map(\.node) } == [[c], [], [d, e, f], [], [], []])
        #expect(assignments.map(\.previous) == [.coordinator, .coordinator, a, c, c, c])
        #expect(assignments.map(\.answers) == [false, false, false, true, false, false])
        for assignment in assignments {
            #expect(assignment.ranks == pipeline.stages[assignment.stage].ranks)
            #expect(assignment.layers == pipeline.stages[assignment.stage].layers)
        }
    }

    @Test(arguments: 0..<50) func `each rank gets its hidden states from exactly one of the stage before`(seed: Int)
        throws
    {
        var random = SeededGenerator(seed: UInt64(seed))
        let shape = (0..<Int.random(in: 1...5, using: &random)).map { _ in Int.random(in: 1...5, using: &random) }
        let nodes = (0..<shape.reduce(0, +)).map { NodeID.named("n\($0)") }
        let (pipeline, assignments) = try placement(shape, nodes).opened
        #expect(pipeline.stages.map(\.ranks.count) == shape)
        for (node, assignment) in zip(pipeline.nodes, assignments) where !assignment.isFirstStage {
            let givers = zip(pipeline.nodes, assignments).filter { $1.next.contains { $0.node == node } }
            #expect(givers.map(\.0) == [assignment.previous])
            let stages = givers.map { $0.1.stage }
            #expect(stages == [assignment.stage - 1])
        }
        #expect(assignments.filter(\.isFirstStage).allSatisfy { $0.previous == .coordinator })
        #expect(assignments.filter(\.isLastStage).allSatisfy { $0.next.isEmpty })
        #expect(assignments.count(where: \.answers) == 1)
    }

    @Test func `it serves when every rank is ready, and the loss of any ends the epoch`() throws {
        for lost in [a, b, c] {
            var (placement, opened) = try placement([2, 1], [a, b, c])
            for node in [a, c] {
                _ = placement.handle(.ready(node, Epoch(7), PlacementTests.loaded), at: .zero)
                #expect(!placement.isServing)
            }
            #expect(placement.problem(at: .zero) == "b still loading")
            _ = placement.handle(.ready(b, Epoch(7), PlacementTests.loaded), at: .zero)
            #expect(placement.isServing)
            let effects = placement.handle(.gone(lost, reason: "silent"), at: .zero)
            #expect(effects == [.ended(opened.pipeline, node: lost, reason: "silent")])
            #expect(placement.problem(at: .zero) == "waiting for 1 of 3 workers")
        }
    }

    @Test func `a spare takes the place of a rank that is set aside, which comes back later`() throws {
        var (placement, _) = try placement([2], [a, b])
        #expect(placement.handle(.joined(PlacementTests.peer(c)), at: .zero) == [])
        let effects = placement.handle(.stalled(b, reason: "it did not give its part"), at: .zero)
        #expect(effects.contains(.detail(b, "it did not give its part")))
        #expect(try #require(PlacementTests.opened(effects)).pipeline.nodes == [a, c])
        let again = placement.handle(.gone(c, reason: "silent"), at: .seconds(1))
        #expect(PlacementTests.opened(again) == nil)
        let later = try #require(PlacementTests.opened(placement.handle(.tick, at: .seconds(2))))
        #expect(later.pipeline.nodes == [a, b])
    }

    @Test func `named workers fill the stages in their order, with the layers that they share`() throws {
        let named = [
            NamedWorker(node: c, layers: 0..<9), NamedWorker(node: a, layers: 0..<9),
            NamedWorker(node: b, layers: 9..<12),
        ]
        let pipeline = try placement([2, 1], [a, b, c], .named(named)).opened.pipeline
        #expect(pipeline.stages.map(\.nodes) == [[c, a], [b]])
        #expect(pipeline.stages.map(\.layers) == [0..<9, 9..<12])
        let free = named.map { NamedWorker(node: $0.node) }
        #expect(
            try placement([2, 1], [a, b, c], .named(free)).opened.pipeline.stages.map(\.layers) == [0..<8, 8..<12])
    }

    @Test func `a shape that does not fit the model or the workers is refused from the start`() throws {
        func refusal(_ shape: [Int], _ selection: WorkerSelection, layerCount: Int = 6) throws -> String? {
            let configuration = try PlacementTests.configuration(selection, shape: shape, layerCount: layerCount)
            do throws(PlanningError) {
                _ = try Placement(configuration: configuration)
                return nil
            } catch {
                return error.description
            }
        }
        #expect(try refusal([5, 1], .count(6)) == nil)
        #expect(
            try refusal([1, 6], .count(7))
                == "stage 1 has 6 ranks, but the model has 5 KV heads and 8 blocks of feed-forward columns; give it at "
                + "most 5")
        #expect(
            try refusal([2, 1], .count(4)) == "4 workers are to take 3 places; make the numbers equal")
        #expect(try refusal([2, 0], .count(2)) == "a stage has no rank; give each at least one")
        #expect(try refusal([], .count(1)) == "1 workers are to take 0 places; make the numbers equal")
        #expect(
            try refusal([1, 1, 1], .count(3), layerCount: 2)
                == "2 layers cannot be split over 3 stages; use 1 to 2")
        let uneven = WorkerSelection.named([
            NamedWorker(node: a, layers: 0..<6), NamedWorker(node: b, layers: 0..<5),
        ])
        #expect(try refusal([2], uneven) == "the workers of stage 0 have different layers; give them the same")
    }
}
