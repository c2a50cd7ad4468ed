import ClusterCore
import Testing
import Transport

struct PlanningPredictionTests {
    let request = PlanRequest(contextLength: 64, promptLength: 16)

    func predict(
        _ stages: [(nodes: [String], layers: Range<Int>)], _ nodes: [NodeMeasurement],
        link: LinkMeasurement = .millisecond, hosts: [HostMeasurement] = [], costs: ModelCosts = .round(),
        request: PlanRequest? = nil
    ) throws -> PlanOption {
        try Planner.predict(
            stages, ClusterMeasurements(nodes: nodes, hosts: hosts, link: link, linkWithinHost: link), costs,
            request ?? self.request)
    }

    func isClose(_ value: Double, _ wanted: Double) -> Bool { abs(value - wanted) < 1e-9 }

    @Test func `a single node reads its layers and the head once for each token`() throws {
        let prediction = try predict([(["a"], 0..<4)], [.round("a")]).prediction
        // Five parts of 1 ms and 0.1 ms besides in each of four layers, two chunks, a step, there and back.
        #expect(isClose(prediction.secondsPerToken, 4 * 5.1e-3 + 2e-3 + 1e-3 + 2e-3))
        #expect(isClose(prediction.hopSeconds, 2e-3))
        #expect(isClose(prediction.weightsSeconds, 22e-3))
        #expect(prediction.limit == .memoryBandwidth(node: "a"))
    }

    @Test func `a pipeline costs one stream a hop and a step more, and gives many streams more`() throws {
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let alone = try predict([(["a"], 0..<4)], nodes).prediction
        let both = try predict([(["a"], 0..<2), (["b"], 2..<4)], nodes).prediction
        #expect(isClose(both.secondsPerToken, alone.secondsPerToken + 2e-3))
        // The second stage is the busier one: two layers, the head and a step, for each of two steps under way.
        let round = 2 * (2 * 5.1e-3 + 2e-3 + 1e-3)
        let way = both.secondsPerToken
        #expect(isClose(8 / both.throughputTokensPerSecond, max(round, way)))
    }

    @Test func `the slowest rank counts in each phase, and ranks wait for two vectors to a layer`() throws {
        let option = try predict([(["a", "b"], 0..<4)], [.round("a"), .round("b")])
        // A head each, two blocks and one, a chunk each; one exchange more for the choice of the token.
        let layer = 1e-3 + 2e-3 + 1e-4 + 2 * 1e-3
        #expect(isClose(option.prediction.secondsPerToken, 4 * layer + 1e-3 + 1e-3 + 1e-3 + 2e-3))
        #expect(isClose(option.prediction.synchronisationSeconds, 9e-3))
        #expect(option.placement.shape == .tensorGroup)
    }

    @Test func `inner norms on the exact grid cost two exchanges more to a layer`() throws {
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let two = try predict([(["a", "b"], 0..<4)], nodes).prediction
        let four = try predict([(["a", "b"], 0..<4)], nodes, costs: .round(scalarCount: 2)).prediction
        #expect(isClose(four.secondsPerToken - two.secondsPerToken, 4 * 2 * 1e-3))
    }

    @Test(arguments: [(2, [3, 2], [14, 13]), (3, [2, 2, 1], [9, 9, 9]), (4, [2, 1, 1, 1], [7, 7, 7, 6])])
    func `five KV heads are shared by two, three and four ranks`(
        count: Int, heads: [Int], blocks: [Int]
    ) throws {
        let names = (0..<count).map { "n\($0)" }
        let costs = ModelCosts.round(heads: 5, blocks: 27, chunks: 12)
        let option = try predict([(names, 0..<4)], names.map { .round($0) }, costs: costs)
        let shares = option.placement.replicas[0].stages[0].ranks.map(\.share)
        #expect(shares.map(\.keyValueHeads.count) == heads)
        #expect(shares.map(\.feedForwardBlocks.count) == blocks)
        #expect(shares.map(\.vocabularyChunks.count) == [Int](repeating: 12 / count, count: count))
        #expect(shares[0].keyValueHeads.lowerBound == 0 && shares[count - 1].keyValueHeads.upperBound == 5)
        #expect(
            zip(shares, shares.dropFirst()).allSatisfy {
                $0.feedForwardBlocks.upperBound == $1.feedForwardBlocks.lowerBound
            })
    }

    @Test func `unequal ranks get unequal shares`() throws {
        let costs = ModelCosts.round(heads: 4, blocks: 12, chunks: 4)
        let option = try predict(
            [(["fast", "slow"], 0..<4)], [.round("fast", speed: 3), .round("slow")], costs: costs)
        let shares = option.placement.replicas[0].stages[0].ranks.map(\.share)
        #expect(shares.map(\.keyValueHeads.count) == [3, 1])
        #expect(shares.map(\.feedForwardBlocks.count) == [9, 3])
        #expect(shares.map(\.vocabularyChunks.count) == [3, 1])
    }

    @Test func `ranks on one host share its memory bus, and stages that take turns do not`() throws {
        let nodes = [NodeMeasurement.round("a", host: "box"), .round("b", host: "box")]
        let costs = ModelCosts.round(heads: 2, blocks: 2)
        let bus = [HostMeasurement(name: "box", bandwidthBytesPerSecond: 1e9)]
        let free = try predict([(["a", "b"], 0..<4)], nodes, link: .instant, costs: costs).prediction
        let shared = try predict([(["a", "b"], 0..<4)], nodes, link: .instant, hosts: bus, costs: costs).prediction
        // Four parts to a layer and two chunks, one by one instead of two by two.
        #expect(isClose(free.weightsSeconds, 4 * 2e-3 + 1e-3))
        #expect(isClose(shared.weightsSeconds, 4 * 4e-3 + 2e-3))
        let stages: [(nodes: [String], layers: Range<Int>)] = [(["a"], 0..<2), (["b"], 2..<4)]
        let turns = try predict(stages, nodes, link: .instant, hosts: bus, costs: costs).prediction
        #expect(isClose(turns.weightsSeconds, 4 * 4e-3 + 2e-3))
        // With many streams both stages work at once, and the bus brings 18 MB for each step.
        #expect(
            isClose(8 / turns.throughputTokensPerSecond, 2 * 18e-3 + 0) || turns.throughputTokensPerSecond < 8 / 36e-3)
    }

    @Test func `more threads than a host has cores take turns`() throws {
        let nodes = [NodeMeasurement.round("a", host: "box"), .round("b", host: "box")]
        let costs = ModelCosts.round(heads: 2, blocks: 2)
        let one = [HostMeasurement(name: "box", coreCount: 1)]
        let prediction = try predict([(["a", "b"], 0..<4)], nodes, link: .instant, hosts: one, costs: costs).prediction
        #expect(isClose(prediction.weightsSeconds, 4 * 4e-3 + 2e-3))
    }

    @Test func `rows of many streams read weights once, until multiplying takes longer`() throws {
        // Reading takes 22 ms a step, multiplying 2.2 ms a row; 0.4 ms and 1 ms and 2 ms besides.
        func rate(_ streams: Int) throws -> Double {
            let request = PlanRequest(concurrency: streams, contextLength: 64, promptLength: 16)
            return try predict([(["a"], 0..<4)], [.round("a")], request: request).prediction.throughputTokensPerSecond
        }
        #expect(isClose(try 1 / rate(1), 25.4e-3))
        #expect(isClose(try 8 / rate(8), 25.4e-3))
        #expect(isClose(try 40 / rate(40), 40 * 2.2e-3 + 3.4e-3))
    }

    @Test func `the first token waits for all chunks of its prompt, which follow each other through the stages`() throws
    {
        let request = PlanRequest(contextLength: 64, promptLength: 40, maximumStepRowCount: 20)
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let prediction = try predict([(["a"], 0..<2), (["b"], 2..<4)], nodes, request: request).prediction
        // 20 rows multiply a stage's ten parts in 20 ms; the head sees one row. A hop takes 1 ms.
        let stage = 20e-3 + 0.2e-3 + 1e-3
        #expect(isClose(prediction.secondsToFirstToken, 1e-3 + stage + stage + 1e-3 + stage + 2e-3 + 1e-3))
    }

    @Test func `other sampling than greedy brings logits together`() throws {
        let link = LinkMeasurement(latencySeconds: 2e-3, bandwidthBytesPerSecond: 1e6, messageSeconds: 0)
        var request = self.request
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let greedy = try predict([(["a", "b"], 0..<4)], nodes, link: link, request: request).prediction
        request.gathersLogits = true
        let other = try predict([(["a", "b"], 0..<4)], nodes, link: link, request: request).prediction
        // Half of 1024 logits of 4 bytes at 1 MB/s, instead of 8 bytes by the quicker way, two of 4.
        #expect(isClose(other.secondsPerToken - greedy.secondsPerToken, 2048e-6 - 8e-6))
    }

    @Test func `a link is as slow as was measured, and as its bandwidth says beyond`() {
        let link = LinkMeasurement(
            roundTrips: [
                .init(byteCount: 1000, seconds: 4e-3), .init(byteCount: 0, seconds: 2e-3),
                .init(byteCount: 2000, seconds: 8e-3),
            ], bandwidthBytesPerSecond: 1e6)
        #expect(link.roundTrips.map(\.byteCount) == [0, 1000, 2000])
        #expect(
            [0, 500, 1000, 1500, 2000, 3000].map(link.seconds).map { ($0 * 1e6).rounded() } == [
                1000, 1500, 2000, 3000, 4000, 5000,
            ])
    }

    @Test func `memory is weights, cache and workspace of each rank`() throws {
        let costs = ModelCosts.round(heads: 5, blocks: 5, chunks: 2, keyValueByteCount: 100)
        let request = PlanRequest(contextLength: 64, keyValueTokenCapacity: 300, promptLength: 16)
        let nodes = [NodeMeasurement.round("a"), .round("b")]
        let parts = try predict([(["a", "b"], 0..<4)], nodes, costs: costs, request: request).prediction.nodes
        // Three heads and three blocks against two, in four layers, and a chunk each; two blocks of 256 positions.
        #expect(parts.map(\.weightsByteCount) == [25_000_000, 17_000_000])
        #expect(parts.map(\.keyValueByteCount) == [UInt64(4 * 3 * 512 * 100), UInt64(4 * 2 * 512 * 100)])
        #expect(parts.allSatisfy { $0.workspaceByteCount == UInt64(programByteCount) })
    }

    @Test func `a placement that cannot be is refused`() {
        let nodes = [NodeMeasurement.round("a"), .round("b"), .round("c")]
        func complaint(_ stages: [(nodes: [String], layers: Range<Int>)]) -> String {
            do throws(PlanError) {
                _ = try Planner.predict(stages, ClusterMeasurements(nodes: nodes), .round(), request)
                return ""
            } catch {
                return error.description
            }
        }
        #expect(complaint([(["a"], 0..<3)]) == "the stages hold 3 layers, the model has 4")
        #expect(complaint([(["a"], 1..<4)]) == "a stage begins with layer 1; make it begin with 0")
        #expect(complaint([(["a"], 0..<2), (["a"], 2..<4)]).hasPrefix("a is no node that may have a part, or has two"))
        #expect(complaint([(["a", "b", "c"], 0..<4)]) == "a stage of this model has 1 to 2 ranks")
    }
}
