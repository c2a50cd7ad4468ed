import ClusterCore
import CoordinatorRuntime
import Testing
import Transport

struct PlacementSettingsTests {
    private func parse(_ text: String) throws(ConfigurationError) -> ClusterConfiguration {
        try ClusterConfiguration.parse(text, file: "cluster.yaml", environment: [:])
    }

    /// The problems as an operator reads them; empty if there are none.
    private func complaint(_ text: String) -> String {
        do {
            _ = try parse(text)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func `the placement tells how many workers there are`() throws {
        #expect(try parse("").workers == .count(1))
        #expect(try parse("workers: 4").workers == .count(4))
        let placed = try parse("placement: [2, 1, 3]")
        #expect(placed.placement == [2, 1, 3])
        #expect(placed.workers == .count(6))
        #expect(try parse("placement: [2, 1, 3]\nworkers: 6").workers == .count(6))
    }

    @Test func `a placement that is none is reported with its line`() {
        #expect(
            complaint("placement: []")
                == "cluster.yaml:1: placement: it is empty; list the ranks of each stage, such as [2, 1]")
        #expect(
            complaint("placement:\n  - 2\n  - 0\n  - two\n  - 65") == """
                cluster.yaml:3: placement[1]: 0 is out of range; write 1 to 64
                cluster.yaml:4: placement[2]: "two" is not a whole number; write 1 to 64
                cluster.yaml:5: placement[3]: 65 is out of range; write 1 to 64
                """)
        let many = "it needs more than 256 workers; use fewer stages or ranks"
        #expect(complaint("placement: [64, 64, 64, 64, 1]") == "cluster.yaml:1: placement: \(many)")
        let ones = [String](repeating: "1", count: 257).joined(separator: ", ")
        #expect(complaint("placement: [\(ones)]") == "cluster.yaml:1: placement: \(many)")
    }

    @Test func `a placement that the workers do not fill is reported`() {
        #expect(
            complaint("workers: 3\nplacement: [2, 1, 3]") == """
                cluster.yaml:2: placement: [2, 1, 3] has room for 6 workers, and workers: says 3; \
                make workers 6 or leave it out
                """)
        #expect(
            complaint("workers: [a, b]\nplacement: [2, 1]") == """
                cluster.yaml:2: placement: [2, 1] has room for 3 workers, and workers: says 2; list as many workers
                """)
    }

    @Test func `workers of one stage hold the same layers, stages follow each other`() {
        func workers(_ layers: [String]) -> String {
            let list = layers.enumerated().map { "  - name: w\($0)\n    layers: \($1)" }.joined(separator: "\n")
            return complaint("placement: [2, 1]\nworkers:\n\(list)")
        }
        #expect(workers(["0-9", "0-9", "10-11"]) == "")
        #expect(
            workers(["0-9", "0-8", "10-11"]) == """
                cluster.yaml:6: workers[1].layers: 0–8 is not what workers[0] of the same stage holds (0–9); \
                give the workers of a stage the same layers
                """)
        #expect(
            workers(["0-9", "0-9", "9-11"])
                == "cluster.yaml:8: workers[2].layers: 9–11 overlaps workers[0] (0–9); make the ranges adjacent")
        #expect(
            workers(["0-9", "0-9", "12-14"])
                == "cluster.yaml:8: workers[2].layers: 12–14 does not follow workers[0] (0–9); make it begin with layer 10"
        )
    }

    @Test func `ranks and stages that the model has not enough parts for are reported with everything else`() {
        var configuration = ClusterConfiguration()
        configuration.controlEndpoint = "tcp://127.0.0.1:0"
        configuration.placement = [6, 1, 9]
        configuration.contextLength = 4096
        var model = TestCluster.model
        model.layerByteCounts = [1, 1]
        let error = #expect(throws: CoordinatorError.self) {
            try Coordinator(configuration: configuration, model: model, logger: TestCluster.quiet)
        }
        #expect(
            error?.description == """
                context_length: 4096 is over the 2048 that fake was made for; make it 2048 or less
                placement: it has 3 stages, fake has 2 layers; use 2 stages or fewer
                placement[0]: 6 ranks are to share the layers, fake has 5 KV heads; make it 5 or less
                placement[2]: 9 ranks are to share the layers, fake has 5 KV heads; make it 5 or less
                """)
        model.parts = RankParts(keyValueHeadCount: 8, feedForwardSize: 1024, vocabularySize: 1000)
        (configuration.placement, configuration.contextLength) = ([5], nil)
        let blocks = #expect(throws: CoordinatorError.self) {
            try Coordinator(configuration: configuration, model: model, logger: TestCluster.quiet)
        }
        #expect(
            blocks?.description
                == "placement[0]: 5 ranks are to share the layers, fake has 4 blocks of 256 feed-forward columns; make it "
                + "4 or less")
    }
}
