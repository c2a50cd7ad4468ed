import ClusterCore
import Testing

@testable import OperatorTools

@Suite struct HealthTableTests {
    private static func node(
        _ name: String, state: NodeHealth.State = .ready, detail: String = "", cpu: String = "AMD EPYC",
        stage: Int = 0, rank: Int = 0, layers: Range<Int>? = 0..<10, heads: Range<Int> = 0..<5,
        roundTrip: Double? = 0.4213
    ) -> NodeHealth {
        NodeHealth(
            name: name, state: state, detail: detail, processID: 4711, cpu: cpu, instructionSet: "avx512",
            threadCount: 2, memoryUsedByteCount: 123_456_789, memoryFreeByteCount: 23_000_000_000, epoch: nil,
            stage: stage,
            rank: rank, firstLayer: layers?.lowerBound, endLayer: layers?.upperBound,
            firstKeyValueHead: heads.lowerBound, endKeyValueHead: heads.upperBound, keyValueTokenCount: 512,
            keyValueTokenCapacity: layers == nil ? 0 : 16384, secondsSinceHeartbeat: 0.14,
            roundTripMilliseconds: roundTrip, tokensPerSecond: 45.26, droppedFrameCount: 1)
    }

    private static func cluster(
        _ state: ClusterHealth.State, reason: String = "", lastToken: Double? = 1.23, _ nodes: [NodeHealth]
    ) -> ClusterHealth {
        ClusterHealth(
            clusterID: "default", model: "SmolLM2-135M", state: state, reason: reason, epoch: 7,
            secondsSinceLastToken: lastToken, runningRequestCount: 1, queuedRequestCount: 0, queueLimit: 64,
            tokensPerSecond: 45.2, droppedFrameCount: 3, nodes: nodes)
    }

    @Test func `a healthy cluster is a line for each node and one for the cluster`() {
        let health = Self.cluster(
            .healthy, [Self.node("worker-1"), Self.node("worker-2", stage: 1, layers: 10..<11, roundTrip: 12.5)])
        #expect(
            HealthTable().text(health) == """
                NODE      STATE  CPU       ISA     THREADS     USED      FREE  LAYERS   KV   BEAT      RTT  TOK/S
                worker-1  ready  AMD EPYC  avx512        2  118 MiB  21.4 GiB     0–9  3 %  0.1 s  0.42 ms   45.3
                worker-2  ready  AMD EPYC  avx512        2  118 MiB  21.4 GiB      10  3 %  0.1 s  12.5 ms   45.3
                layers 0–9     layer 10
                ┌──────────┐   ┌──────────┐
                │ worker-1 │ → │ worker-2 │
                └──────────┘   └──────────┘
                default: SmolLM2-135M is healthy; 1 running, 0 of 64 queued; 45.2 tok/s; last token 1.2 s ago; \
                3 frames dropped
                """)
    }

    @Test func `each replica has a line and a picture, and nodes say to which they belong`() {
        var nodes = [
            Self.node("a"), Self.node("b", stage: 1, layers: 10..<11), Self.node("c", layers: 0..<11),
            Self.node("d", state: .spare, layers: nil),
        ]
        for (index, replica) in [0, 0, 1, 1].enumerated() { nodes[index].replica = replica }
        (nodes[3].stage, nodes[3].rank) = (nil, nil)
        var health = Self.cluster(.healthy, nodes)
        health.replicas = [
            ReplicaHealth(
                state: .serving, isReady: true, reason: "", epoch: 7, breaker: .closed, runningRequestCount: 2,
                queuedRequestCount: 1, outstandingPromptTokenCount: 812, outstandingNewTokenCount: 300,
                tokensPerSecond: 41),
            ReplicaHealth(
                state: .serving, isReady: true, reason: "", epoch: 8, breaker: .halfOpen, runningRequestCount: 0,
                queuedRequestCount: 0, outstandingPromptTokenCount: 0, outstandingNewTokenCount: 0, tokensPerSecond: 0),
        ]
        let lines = HealthTable().text(health).split(separator: "\n").map(String.init)
        #expect(lines[1].contains(" 0/0.0 ") && lines[2].contains(" 0/1.0 "))
        #expect(lines[3].contains(" 1/0.0 ") && lines[4].contains(" 1/– "))
        #expect(
            lines[5...10] == [
                "replica 0: serving; 2 running, 1 queued; 812 prompt tokens and 300 new ones to go; 41.0 tok/s",
                "layers 0–9   layer 10", "┌────────┐   ┌──────┐", "│ a      │ → │ b    │", "└────────┘   └──────┘",
                "replica 1: serving, breaker half-open; 0 running, 0 queued; 0 prompt tokens and 0 new ones to go; 0.0 tok/s",
            ])
    }

    @Test func `what spares keep ready is shown`() {
        let standbys = [(true, ""), (false, ""), (false, "no memory")].map { isWarm, problem in
            StandbyHealth(stage: 0, rank: 0, firstLayer: 0, endLayer: 10, isWarm: isWarm, problem: problem)
        }
        let lines = standbys.map { standby in
            var spare = Self.node("worker-2", state: .spare, layers: nil)
            (spare.stage, spare.rank, spare.standby) = (nil, nil, standby)
            return HealthTable().text(Self.cluster(.healthy, [spare])).split(separator: "\n")[1]
        }
        #expect(lines[0].contains(" warm 0–9 "))
        #expect(lines[1].contains(" warming 0–9 "))
        #expect(lines[2].contains(" cold 0–9 "))
    }

    @Test func `where workers share a stage, stage, rank and heads are shown`() {
        let health = Self.cluster(
            .healthy,
            [
                Self.node("worker-1", heads: 0..<3), Self.node("worker-2", rank: 1, heads: 3..<5),
                Self.node("worker-3", stage: 1, layers: 10..<15),
            ])
        #expect(
            HealthTable().text(health) == """
                NODE      STATE  CPU       ISA     THREADS     USED      FREE  STAGE  LAYERS  HEADS   KV   BEAT      RTT  \
                TOK/S
                worker-1  ready  AMD EPYC  avx512        2  118 MiB  21.4 GiB    0.0     0–9    0–2  3 %  0.1 s  0.42 ms   \
                45.3
                worker-2  ready  AMD EPYC  avx512        2  118 MiB  21.4 GiB    0.1     0–9    3–4  3 %  0.1 s  0.42 ms   \
                45.3
                worker-3  ready  AMD EPYC  avx512        2  118 MiB  21.4 GiB    1.0   10–14    0–4  3 %  0.1 s  0.42 ms   \
                45.3
                layers 0–9               layers 10–14
                ┌────────────────────┐   ┌──────────┐
                │ worker-1 heads 0–2 │ → │ worker-3 │
                ├────────────────────┤   └──────────┘
                │ worker-2 heads 3–4 │
                └────────────────────┘
                default: SmolLM2-135M is healthy; 1 running, 0 of 64 queued; 45.2 tok/s; last token 1.2 s ago; \
                3 frames dropped
                """)
    }

    @Test func `spares and a failover that is under way are shown`() {
        var health = Self.cluster(
            .recovering, reason: "worker-3 still loading",
            [
                Self.node("worker-1"), Self.node("worker-2", state: .lost, detail: "silent for 2.0 s", layers: nil),
                Self.node("worker-3", state: .loading, stage: 1, layers: 10..<11),
                Self.node("worker-4", state: .spare, layers: nil),
            ])
        (health.runningRequestCount, health.queuedRequestCount, health.interruptedRequestCount) = (0, 3, 2)
        let lines = HealthTable().text(health).split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("worker-4  spare ") })
        #expect(
            lines.last?.hasPrefix(
                "default: SmolLM2-135M is recovering (worker-3 still loading); 0 running, 3 of 64 queued, 2 of them to be "
                    + "rebuilt; ") == true)
        #expect(HealthTable.exitStatus(.recovering) == 1)
    }

    @Test func `what other machines say of themselves cannot steer the terminal`() {
        var table = HealthTable()
        table.isVerbose = true
        let worker = Self.node("worker-1", detail: "a\u{1B}[2J\nb", cpu: "CPU\u{9B}\r")
        let text = table.text(Self.cluster(.down, reason: "x\u{7}y\n", [worker]))
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) || $0 == "\n" })
        #expect(text.split(separator: "\n").count == 5)
        #expect(text.contains(#"worker-1: a\u{1b}[2J\nb"#))
    }

    @Test func `what is unknown is a dash, and what is wrong is said below the table`() {
        let worker = Self.node("worker-1", state: .joining, detail: "no such file", layers: nil, roundTrip: nil)
        let health = Self.cluster(.down, reason: "waiting for 1 of 2 workers", lastToken: nil, [worker])
        #expect(
            HealthTable().text(health) == """
                NODE      STATE    CPU       ISA     THREADS     USED      FREE  LAYERS  KV   BEAT  RTT  TOK/S
                worker-1  joining  AMD EPYC  avx512        2  118 MiB  21.4 GiB       –   –  0.1 s    –   45.3
                worker-1: no such file
                default: SmolLM2-135M is down (waiting for 1 of 2 workers); 1 running, 0 of 64 queued; 45.2 tok/s; \
                no token yet; 3 frames dropped
                """)
    }

    @Test func `a cluster without nodes is one line`() {
        let text = HealthTable().text(Self.cluster(.down, reason: "waiting for 2 of 2 workers", []))
        #expect(!text.contains("\n"))
        #expect(text.hasPrefix("default: SmolLM2-135M is down (waiting for 2 of 2 workers);"))
    }

    @Test func `names of processors and nodes are cut to fit 120 columns`() {
        let name = "a-node-with-a-name-of-many-more-letters-than-anybody-would-like-to-type"
        let node = Self.node(name, cpu: "Imaginary Accelerated Processing Unit of the Third Kind 12345X")
        let lines = HealthTable().text(Self.cluster(.healthy, [node])).split(separator: "\n")
        #expect(lines[0].count == 120)
        #expect(lines[1].count == 120)
        #expect(lines[1].contains("…"))
        #expect(lines[1].hasSuffix("45.3"))
    }

    @Test func `a node that gets its weights together shows how far it is`() {
        var node = Self.node("worker-1", state: .loading)
        (node.loadedByteCount, node.neededByteCount) = (430, 1000)
        let lines = HealthTable().text(Self.cluster(.down, [node])).split(separator: "\n")
        #expect(lines[1].hasPrefix("worker-1  loading 43 %  AMD EPYC"))
    }

    @Test func `verbose adds what the table has no room for`() {
        var table = HealthTable()
        table.isVerbose = true
        let lines = table.text(Self.cluster(.healthy, [Self.node("worker-1")])).split(separator: "\n")
        #expect(
            lines[2]
                == "worker-1: process 4711, AMD EPYC, KV 512 of 16384 tokens, 1 frames dropped, 0 B of weights fetched, "
                + "0 B of them from other workers")
    }

    @Test func `colour only emphasises and leaves the columns where they are`() throws {
        let health = Self.cluster(.degraded, reason: "worker worker-1 has been silent", [Self.node("w", state: .lost)])
        var table = HealthTable()
        let plain = table.text(health)
        table.isColoured = true
        let coloured = table.text(health)
        #expect(coloured.contains("\u{1B}[31mlost\u{1B}[0m"))
        #expect(coloured.contains("\u{1B}[33mdegraded\u{1B}[0m"))
        #expect(coloured.replacing(try Regex("\u{1B}\\[[0-9]+m"), with: "") == plain)
    }

    @Test(arguments: [(ClusterHealth.State.healthy, Int32(0)), (.degraded, 1), (.down, 2)])
    func `the exit status tells the state`(state: ClusterHealth.State, status: Int32) {
        #expect(HealthTable.exitStatus(state) == status)
    }
}
