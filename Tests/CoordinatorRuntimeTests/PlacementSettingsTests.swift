import ClusterCore
import Testing
import Transport

@testable import CoordinatorRuntime

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
                == "cluster.yaml:1: placement: it is empty; list the ranks of each stage, such as [2, 1], or write auto"
        )
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

    @Test func `replicas have workers of their own, each with all layers`() throws {
        let placed = try parse("placement: [2, 1]\nreplicas: 2")
        #expect(placed.replicaCount == 2 && placed.workers == .count(3))
        func workers(_ layers: [String]) -> String {
            let list = layers.enumerated().map { "  - name: w\($0)\n    layers: \($1)" }.joined(separator: "\n")
            return complaint("replicas: 2\nworkers:\n\(list)")
        }
        #expect(workers(["0-9", "10-11", "0-4", "5-11"]) == "")
        #expect(
            workers(["0-9", "10-11", "1-4", "5-11"]) == """
                cluster.yaml:8: workers[2].layers: 1–4 leaves out the first layers; make the first worker begin with layer 0
                """)
        #expect(
            workers(["0-9", "10-11", "0-11"]) == """
                cluster.yaml:1: replicas: 3 workers cannot be parted into 2 replicas; list as many workers for each
                """)
        #expect(
            complaint("replicas: 2\nworkers: [a, b, c]\nplacement: [2, 1]") == """
                cluster.yaml:1: replicas: 3 workers cannot be parted into 2 replicas; list as many workers for each
                cluster.yaml:3: placement: [2, 1] has room for 6 workers, and workers: says 3; list as many workers
                """)
    }

    @Test func `how many replicas there are is either said or planned`() throws {
        let planned = try parse("placement: auto\nworkers: 4\nobjective: throughput\nconcurrency: 16")
        #expect(planned.objective == .throughput && planned.concurrency == 16 && planned.replicaCount == 1)
        #expect(
            complaint("placement: auto\nobjective: throughput\nreplicas: 2") == """
                cluster.yaml:3: replicas: how many there are is planned, as the objective is throughput; \
                leave it out, or write objective: latency
                """)
        #expect(
            complaint("objective: throughput") == """
                cluster.yaml:1: objective: nothing is planned for it; write placement: auto, or leave it out for replicas:
                """)
        #expect(
            complaint("concurrency: 4")
                == "cluster.yaml:1: concurrency: it is for plans of throughput only; write objective: throughput")
    }

    @Test func `a placement can be left to the planner, but not together with layers`() throws {
        let planned = try parse("placement: auto\nworkers: 3")
        #expect(planned.plansPlacement && planned.placement == nil && planned.workers == .count(3))
        #expect(try !parse("placement: [1]").plansPlacement)
        #expect(
            complaint("placement: auto\nworkers: [{name: a, layers: 0-1}, {name: b, layers: 2-3}]") == """
                cluster.yaml:1: placement: it is planned, and workers: has layers; pin layers under planning.layers instead
                """)
    }

    @Test func `what plans have to go by is read, with what placement and workers settle`() throws {
        let planning = """
            planning:
              exclude: [old]
              memory: {big: 24GiB, small: 512 MiB}
              layers: {big: 0-17}
            """
        let constraints = try parse(planning).planning
        #expect(
            constraints
                == PlanConstraints(
                    pins: [.init(node: "big", layers: 0..<18)],
                    memoryLimits: [
                        .init(node: "big", byteCount: 24 << 30), .init(node: "small", byteCount: 512 << 20),
                    ], excludedNodes: ["old"]))
        let settled = try parse(
            planning + "\nplacement: [1, 1]\nworkers: [{name: big, layers: 0-9}, {name: small, layers: 10-11}]")
        #expect(settled.planConstraints.rankCounts == [1, 1])
        #expect(settled.planConstraints.pins.map(\.layers) == [0..<10, 10..<12])
    }

    @Test func `what plans cannot go by is reported with its line`() {
        #expect(
            complaint(
                """
                planning:
                  exclude: [old, "a b"]
                  memory:
                    big: 24
                    "": 1GiB
                  layers:
                    big: 9-2
                    old: 0-1
                  speed: 1
                """) == """
                    cluster.yaml:2: planning.exclude[1]: "a b" is not a worker's name; write 1 to 64 of A–Z a–z 0–9 . _ -
                    cluster.yaml:4: planning.memory.big: "24" is not a number with a unit; write it as 32GiB
                    cluster.yaml:5: planning.memory: nothing is not a text; write 1 to 64 of A–Z a–z 0–9 . _ -
                    cluster.yaml:7: planning.layers.big: "9-2" is not a range of layers; write the first and the last layer as 0-9
                    cluster.yaml:9: planning.speed: there is no such setting; use one of exclude, memory, layers
                    """)
        #expect(
            complaint("planning:\n  exclude: [old]\n  layers:\n    old: 0-1")
                == "cluster.yaml:4: planning.layers.old: old is excluded, too; leave one of the two out")
        #expect(
            complaint("planning: [old]")
                == "cluster.yaml:1: planning: it is a list; write exclude:, memory: or layers:")
        #expect(
            complaint("planning: {exclude: old, memory: [1], layers: 3}") == """
                cluster.yaml:1: planning.exclude: it is a single value; list at most 256 names of workers, such as [old, spare]
                cluster.yaml:1: planning.memory: it is a list; write it as NAME: 24GiB
                cluster.yaml:1: planning.layers: it is a single value; write it as NAME: 0-9
                """)
    }

    @Test func `layers that the model does not have cannot be given to a worker`() {
        var configuration = ClusterConfiguration()
        configuration.controlEndpoint = "tcp://127.0.0.1:0"
        configuration.planning.pins = [.init(node: "big", layers: 2..<7)]
        let error = #expect(throws: CoordinatorError.self) {
            try Coordinator(configuration: configuration, model: TestCluster.model, logger: TestCluster.quiet)
        }
        #expect(
            error?.description
                == "planning.layers.big: 2–6 goes beyond the layers of fake, which end with 5; make it end with 5 or before"
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
