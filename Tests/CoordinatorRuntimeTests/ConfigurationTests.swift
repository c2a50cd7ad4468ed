import ClusterCore
import CoordinatorRuntime
import Foundation
import Testing
import Transport

struct ConfigurationTests {
    let environment = ["HOME": "/home/ryz"]

    static let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "cluster.yaml")

    func parse(_ text: String) throws(ConfigurationError) -> ClusterConfiguration {
        try ClusterConfiguration.parse(text, file: "cluster.yaml", environment: environment)
    }

    /// The problems as an operator reads them; empty if there are none.
    func complaint(_ text: String) -> String {
        do {
            _ = try parse(text)
            return ""
        } catch {
            return error.description
        }
    }

    @Test(arguments: ["", "# nothing but a comment\n", "---\n", "{}"])
    func `an empty file has the defaults`(text: String) throws {
        #expect(try parse(text) == ClusterConfiguration())
    }

    @Test func `every setting is taken`() throws {
        let configuration = try parse(
            """
            cluster: home
            model: ${RYZ_HOME}/models/a.gguf
            http: 0.0.0.0:80
            control: tcp://*:7070
            data: tcp://*:7071
            weights: tcp://*:7072
            advertise: 192.168.1.10
            security: none
            workers:
              - name: big
                layers: 0-17
              - {name: small, layers: 18 – 29}
            placement: [1, 1]
            head: 8bit
            activation_grid: segment
            context_length: 4096
            kv_tokens: 8192
            maximum_running: 4
            queue_limit: 0
            step_rows: 128
            heartbeat_seconds: 0.1
            detection_seconds: 1
            step_timeout_seconds: 10
            loading_timeout_seconds: 60
            probe_seconds: 2.5
            replan_seconds: 0
            failover_seconds: 90
            rebuild_limit: 3
            """)
        var wanted = ClusterConfiguration()
        wanted.clusterID = "home"
        wanted.modelPath = "/home/ryz/.ryz/models/a.gguf"
        wanted.httpHost = "0.0.0.0"
        wanted.httpPort = 80
        wanted.controlEndpoint = "tcp://*:7070"
        wanted.dataEndpoint = "tcp://*:7071"
        wanted.weightsEndpoint = "tcp://*:7072"
        wanted.advertisedHost = "192.168.1.10"
        wanted.security = LinkSecurity.none
        wanted.workers = .named([
            NamedWorker(node: try #require(NodeID("big")), layers: 0..<18),
            NamedWorker(node: try #require(NodeID("small")), layers: 18..<30),
        ])
        wanted.placement = [1, 1]
        wanted.headPrecision = .eightBit
        wanted.activationGrid = .segment
        wanted.contextLength = 4096
        wanted.keyValueTokenCapacity = 8192
        wanted.maximumRunningCount = 4
        wanted.queueLimit = 0
        wanted.maximumStepRowCount = 128
        wanted.heartbeatInterval = .milliseconds(100)
        wanted.detectionBound = .seconds(1)
        wanted.stepTimeout = .seconds(10)
        wanted.loadingTimeout = .seconds(60)
        wanted.probeInterval = .milliseconds(2500)
        wanted.replanDelay = .zero
        wanted.outageLimit = .seconds(90)
        wanted.rebuildLimit = 3
        #expect(configuration == wanted)
    }

    @Test func `the example in the repository is what the demo needs`() throws {
        let configuration = try ClusterConfiguration.load(file: Self.example.path, environment: environment)
        #expect(configuration.workers == .count(3))
        #expect(configuration.modelPath == "/home/ryz/.ryz/models/SmolLM2-135M-Instruct.Q4_1.gguf")
        #expect(configuration.controlEndpoint == "tcp://127.0.0.1:7070")
        #expect(configuration.httpHost == "127.0.0.1")
        #expect(configuration.httpPort == 8080)
    }

    @Test func `what the example comments out are the defaults`() throws {
        let text = try String(contentsOf: Self.example, encoding: .utf8)
        let keys: Set = [
            "cluster", "http", "data", "weights", "head", "activation_grid", "context_length", "kv_tokens",
            "maximum_running", "replicas",
            "queue_limit", "reuse_prefixes",
            "step_rows",
            "heartbeat_seconds", "detection_seconds", "step_timeout_seconds", "loading_timeout_seconds",
            "probe_seconds", "replan_seconds", "failover_seconds", "rebuild_limit", "rebalance", "spares",
            "rebalance_seconds",
            "shutdown_seconds", "stream_keep_seconds", "stream_keep_count",
        ]
        let settings = text.split(separator: "\n").compactMap { line -> Substring? in
            let line = line.hasPrefix("# ") ? line.dropFirst(2) : line
            return keys.contains(String(line.prefix { $0 != ":" })) ? line : nil
        }
        #expect(settings.count == keys.count)
        var wanted = ClusterConfiguration()
        wanted.dataEndpoint = "tcp://127.0.0.1:0"
        wanted.weightsEndpoint = "tcp://127.0.0.1:0"
        wanted.contextLength = 8192
        wanted.keyValueTokenCapacity = 16384
        wanted.maximumStepRowCount = 512
        #expect(try parse(settings.joined(separator: "\n")) == wanted)
    }

    @Test func `all problems are reported at once, in order of line`() {
        #expect(
            complaint(
                """
                cluster: two words
                modle: a.gguf
                http: 8080
                control: 127.0.0.1:7070
                workers: many
                queue_limit: "64"
                context_length: 4096
                kv_tokens: 1024
                heartbeat_seconds: 1
                step_rows: 100000
                security: yes please
                probe_seconds:
                head: 4bit
                placement: 2,1
                activation_grid: fine
                colour: blue
                """) == """
                    cluster.yaml:1: cluster: "two words" is not a cluster's name; write 1 to 64 of A–Z a–z 0–9 . _ -
                    cluster.yaml:2: modle: there is no such setting; did you mean model?
                    cluster.yaml:3: http: "8080" is not an address and a port; write it as 127.0.0.1:8080
                    cluster.yaml:4: control: "127.0.0.1:7070" is not an endpoint; write it as tcp://127.0.0.1:7070
                    cluster.yaml:5: workers: "many" is not a whole number; write 1 to 256
                    cluster.yaml:6: queue_limit: "64" is not a whole number; write 0 to 4096
                    cluster.yaml:8: kv_tokens: 1024 cannot hold one sequence of context_length (4096); make it 4096 or more
                    cluster.yaml:9: heartbeat_seconds: 1 is too long to find a loss within detection_seconds (2); make it 0.5 or less
                    cluster.yaml:10: step_rows: 100000 is out of range; write 1 to 8192
                    cluster.yaml:11: security: "yes please" is none of its values; write one of none, keys
                    cluster.yaml:12: probe_seconds: nothing is not a number; write 0.1 to 3600 seconds
                    cluster.yaml:13: head: "4bit" is none of its values; write one of automatic, 8bit, stored
                    cluster.yaml:14: placement: it is a single value; list the ranks of each stage, such as [2, 1], or write auto
                    cluster.yaml:15: activation_grid: "fine" is none of its values; write one of exact, segment
                    cluster.yaml:16: colour: there is no such setting; use one of cluster, model, http, control, data, \
                    weights, advertise, security, keys, http_security, workers, placement, replicas, objective, concurrency, planning, head, measure_links, activation_grid, \
                    context_length, kv_tokens, maximum_running, queue_limit, reuse_prefixes, step_rows, heartbeat_seconds, \
                    detection_seconds, step_timeout_seconds, loading_timeout_seconds, probe_seconds, replan_seconds, \
                    failover_seconds, rebuild_limit, rebalance, spares, state, stream_keep_seconds, stream_keep_count, rebalance_seconds, shutdown_seconds
                    """)
    }

    @Test func `workers that do not fit each other are named with their lines`() {
        #expect(
            complaint(
                """
                workers:
                  - name: a
                    layers: 0-15
                  - name: b
                    layers: 16-23
                  - name: c
                    layers: 20-31
                  - name: a
                    layers: 40-50
                """) == """
                    cluster.yaml:7: workers[2].layers: 20–31 overlaps workers[1] (16–23); make the ranges adjacent
                    cluster.yaml:8: workers[3].name: a is workers[0] already; give each its own name
                    cluster.yaml:9: workers[3].layers: 40–50 does not follow workers[2] (20–31); make it begin with layer 32
                    """)
        #expect(
            complaint(
                """
                workers:
                  - name: a
                    layers: 3-5
                  - b
                """) == """
                    cluster.yaml:3: workers[0].layers: 3–5 leaves out the first layers; make the first worker begin with layer 0
                    cluster.yaml:4: workers[1].layers: it is missing, and other workers have layers; give layers to all workers or to none
                    """)
        #expect(
            complaint(
                """
                workers:
                  - layers: 0-5
                  - name: "a b"
                  - name: c
                    layers: 9-5
                    weight: 3
                  - [d]
                """) == """
                    cluster.yaml:2: workers[0]: it has no name; add name: with the worker's --name
                    cluster.yaml:3: workers[1].name: "a b" is not a worker's name; write 1 to 64 of A–Z a–z 0–9 . _ -
                    cluster.yaml:5: workers[2].layers: "9-5" is not a range of layers; write the first and the last layer as 0-9
                    cluster.yaml:6: workers[2].weight: there is no such setting; use one of name, layers
                    cluster.yaml:7: workers[3]: it is a list; write a name, or name: and layers:
                    """)
    }

    @Test func `steps whose hidden states would not fit a message are refused, or capped where nothing was said`()
        throws
    {
        var configuration = ClusterConfiguration()
        configuration.controlEndpoint = "tcp://127.0.0.1:0"
        var model = TestCluster.model
        model.hiddenSize = 1 << 16
        #expect(configuration.resolvedStepRowCount(of: model) == 256)
        #expect(configuration.resolvedStepRowCount(of: TestCluster.model) == 512)
        configuration.maximumStepRowCount = 257
        let error = #expect(throws: CoordinatorError.self) {
            try Coordinator(configuration: configuration, model: model, logger: TestCluster.quiet)
        }
        #expect(
            error?.description
                == "step_rows: 257 rows of fake's hidden states take 67371008 bytes, a message between stages holds "
                + "67108864; make it 256 or less")
        configuration.maximumStepRowCount = 256
        #expect(throws: Never.self) {
            _ = try Coordinator(configuration: configuration, model: model, logger: TestCluster.quiet)
        }
    }

    @Test func `links that leave the machine need the operator's word and a way back`() {
        #expect(
            complaint("control: tcp://192.168.1.10:7070") == """
                cluster.yaml:1: control: tcp://192.168.1.10:7070 leaves this machine, and links are not encrypted; \
                use 127.0.0.1, or write security: keys, or security: none if you trust the network
                """)
        #expect(complaint("control: tcp://192.168.1.10:7070\nsecurity: none") == "")
        #expect(
            complaint("control: tcp://*:7070\nsecurity: none") == """
                cluster.yaml:1: control: it listens on all addresses, so workers cannot tell which one to answer to; \
                write advertise: with this machine's address
                """)
        #expect(complaint("control: tcp://*:7070\nsecurity: none\nadvertise: head.local") == "")
    }

    @Test(arguments: [
        ("model: ~/a.gguf", "/home/ryz/a.gguf"), ("model: ${HOME}/a.gguf", "/home/ryz/a.gguf"),
        ("model: /x/~/a.gguf", "/x/~/a.gguf"), ("model: $HOME/a.gguf", "$HOME/a.gguf"),
    ])
    func `the home folder is filled into the model's path`(text: String, path: String) throws {
        #expect(try parse(text).modelPath == path)
    }

    @Test func `RYZ_HOME is taken from the environment`() throws {
        let configuration = try ClusterConfiguration.parse(
            "model: ${RYZ_HOME}/m.gguf", file: "c", environment: ["RYZ_HOME": "/srv/ryz"])
        #expect(configuration.modelPath == "/srv/ryz/m.gguf")
        #expect(
            complaint("model: ${SECRET}/m.gguf")
                == "cluster.yaml:1: model: ${SECRET} has no meaning here; use ${RYZ_HOME} or ${HOME}, or write the path in full"
        )
    }

    @Test func `a file that is not YAML is reported with its line`() {
        #expect(
            complaint("cluster: a\n  model: b\n")
                == "cluster.yaml:2: it is not valid YAML: mapping values are not allowed in this context; correct the line or the one before it"
        )
        #expect(complaint("- a\n- b") == "cluster.yaml:1: it is a list; write it as lines of key: value")
        #expect(complaint("queue_limit: 1\nqueue_limit: 2").contains("queue_limit appears more than once"))
        #expect(complaint(String(repeating: "[", count: 100_000)).hasPrefix("cluster.yaml:"))
    }

    @Test func `a file that is missing, too large or not text is refused`() throws {
        #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: "/nonexistent/cluster.yaml", environment: environment)
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "ryz-\(UUID().uuidString).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(repeating: UInt8(ascii: "#"), count: 300_000).write(to: file)
        #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: file.path, environment: environment)
        }
        try Data([0xFF, 0xFE, 0x00, 0xD8]).write(to: file)
        #expect(throws: ConfigurationError.self) {
            try ClusterConfiguration.load(file: file.path, environment: environment)
        }
    }
}
