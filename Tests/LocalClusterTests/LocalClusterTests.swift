import ClusterClient
import ClusterCore
import Testing

@testable import LocalCluster

@Suite struct LocalClusterTests {
    @Test func `workers get cores of their own while there are enough`() {
        let assigned = CPUAssignment.roundRobin(cores: [0, 2, 4, 6, 8], workerCount: 2, threadsPerWorker: 2)
        #expect(assigned == [[0, 2], [4, 6]])
    }

    @Test func `more threads than cores begin anew with the first core`() {
        #expect(
            CPUAssignment.roundRobin(cores: [0, 1], workerCount: 3, threadsPerWorker: 1) == [[0], [1], [0]])
        #expect(
            CPUAssignment.roundRobin(cores: [3, 5, 7], workerCount: 2, threadsPerWorker: 2) == [[3, 5], [7, 3]])
    }

    @Test func `without known cores nothing is pinned`() {
        #expect(CPUAssignment.roundRobin(cores: [], workerCount: 2, threadsPerWorker: 3) == [[], []])
    }

    @Test(arguments: [(8, 3, 2), (8, 1, 8), (2, 3, 1), (0, 1, 1)])
    func `workers share all cores by default`(coreCount: Int, workerCount: Int, threadCount: Int) {
        #expect(CPUAssignment.defaultThreadCount(coreCount: coreCount, workerCount: workerCount) == threadCount)
    }

    @Test func `a coordinator's announcement is read`() throws {
        let announcement = try CoordinatorAnnouncement(line: "http=http://127.0.0.1:8081 control=tcp://127.0.0.1:7071")
        #expect(announcement.http == (try CoordinatorAddress("127.0.0.1:8081")))
        #expect(announcement.controlEndpoint == "tcp://127.0.0.1:7071")
    }

    @Test(arguments: ["", "http=http://127.0.0.1:1", "control=tcp://127.0.0.1:1", "http=x:y control=z", "Hello there"])
    func `what is no announcement is refused`(line: String) {
        #expect(throws: LocalClusterError.unexpectedAddress(line)) { try CoordinatorAnnouncement(line: line) }
    }

    @Test func `children are told all that was asked for`() {
        var options = LocalClusterOptions(modelPath: "m.gguf", workerCount: 2, threadsPerWorker: 3)
        options.contextLength = 99
        options.headPrecision = .eightBit
        options.ternaryLayout = .twoBits
        (options.kernel, options.prefetch) = (.lookUp, .near)
        #expect(
            options.coordinatorArguments() == [
                "--http", "127.0.0.1:0", "--control", "tcp://127.0.0.1:0", "--state", "none", "--workers", "2",
                "--model", "m.gguf", "--context", "99", "--head", "8bit", "--log-level", "warning", "--end-with-parent",
            ])
        #expect(
            options.workerArguments(index: 1, controlEndpoint: "tcp://h:1", clusterID: "c", cpus: [4, 5, 6]) == [
                "--coordinator", "tcp://h:1", "--cluster", "c", "--name", "worker-2", "--threads", "3", "--cpus",
                "4,5,6", "--ternary-layout", "t2", "--kernel", "lookup", "--prefetch", "near", "--log-level", "warning",
                "--end-with-parent",
            ])
    }

    @Test func `a placement and instruction sets reach the children`() {
        var options = LocalClusterOptions(modelPath: "m.gguf", workerCount: 3, threadsPerWorker: 1)
        options.placement = [2, 1]
        options.activationGrid = .segment
        #expect(
            options.coordinatorArguments().prefix(12) == [
                "--http", "127.0.0.1:0", "--control", "tcp://127.0.0.1:0", "--state", "none", "--workers", "3",
                "--placement", "2,1",
                "--activation-grid", "segment",
            ])
        #expect(options.workerEnvironment(index: 0).isEmpty)
        options.instructionSets = [.portable, .avx2]
        let forced = (0..<3).map { options.workerEnvironment(index: $0) }
        #expect(forced == [["RYZ_ISA": "portable"], ["RYZ_ISA": "avx2"], ["RYZ_ISA": "avx2"]])
    }

    @Test func `progress names the workers and how many are missing`() {
        var health = ClusterHealth(
            clusterID: "c", model: "m", state: .down, reason: "", epoch: 0, secondsSinceLastToken: nil,
            runningRequestCount: 0, queuedRequestCount: 0, queueLimit: 1, tokensPerSecond: 0, droppedFrameCount: 0,
            nodes: [node("worker-1", .ready), node("worker-2", .loading)])
        #expect(
            LocalCluster.progress(of: health, workerCount: 3)
                == "worker-1 ready, worker-2 loading, 1 of 3 workers starting …")
        health.nodes[1].state = .ready
        #expect(LocalCluster.progress(of: health, workerCount: 2) == "sending the first token through 2 workers …")
    }

    @Test func `a node that fails is given up when it fails again, or at once if it isn't tried again`() {
        let ready = node("worker-1", .ready)
        var failed = node("worker-2", .joining)
        failed.detail = "no memory"
        func final(_ failures: inout StartFailures, _ delay: Double?) -> NodeHealth? {
            failed.secondsUntilRetry = delay
            return failures.final(of: [ready, failed])
        }
        var failures = StartFailures()
        #expect(final(&failures, 2) == nil && final(&failures, 1.9) == nil && final(&failures, 0) == nil)
        #expect(failures.final(of: [ready, node("worker-2", .loading)]) == nil)
        #expect(final(&failures, 3.9) == failed)
        // Even if it failed again before it was seen to load.
        failures = StartFailures()
        #expect(final(&failures, 0.1) == nil)
        #expect(final(&failures, 4) == failed)
        failures = StartFailures()
        #expect(final(&failures, nil) == failed)
    }

    @Test func `a missing program is named`() async {
        var options = LocalClusterOptions(modelPath: "m.gguf", workerCount: 1, threadsPerWorker: 1)
        options.programsFolder = "/nonexistent"
        let error = await #expect(throws: LocalClusterError.self) {
            try await LocalCluster.run(options) { _ in }
        }
        #expect(error == .missingProgram(path: "/nonexistent/ryz-coord"))
    }

    private func node(_ name: String, _ state: NodeHealth.State) -> NodeHealth {
        NodeHealth(
            name: name, state: state, detail: "", processID: 1, cpu: "", instructionSet: "", threadCount: 1,
            memoryUsedByteCount: 0, memoryFreeByteCount: 0, epoch: nil, stage: nil, rank: nil, firstLayer: nil,
            endLayer: nil, firstKeyValueHead: nil, endKeyValueHead: nil,
            keyValueTokenCount: 0, keyValueTokenCapacity: 0, secondsSinceHeartbeat: 0, roundTripMilliseconds: nil,
            tokensPerSecond: 0, droppedFrameCount: 0)
    }
}
