import ClusterCore
import CoordinatorRuntime
import Foundation
import Testing
import Transport
import WorkerRuntime
import ZeroMQ

@Suite(.serialized) struct CoordinatorTests {
    @Test(arguments: [["a"], ["c", "a", "b"], ["f", "e", "d", "c", "b", "a"]])
    func `any number of workers answers the same`(names: [String]) async throws {
        try await TestCluster.run(names) { cluster in
            try await cluster.waitUntilHealthy()
            let health = await cluster.coordinator.health()
            #expect(health.nodes.map(\.name) == names.sorted())
            #expect(health.nodes.compactMap(\.stage) == Array(0..<names.count))
            #expect(health.nodes.allSatisfy { $0.state == .ready })
            #expect(cluster.coordinator.isReady)
            let prompt = (0..<700).map { Int32($0) }
            let (tokens, reason) = try await cluster.tokens(prompt, maximum: 20)
            #expect(tokens == TestCluster.expected(prompt, count: 20))
            #expect(reason == .length)
            let stop = tokens[4]
            let first = try #require(tokens.firstIndex(of: stop))
            let stopped = try await cluster.tokens(prompt, maximum: 20, stop: [stop])
            #expect(stopped.tokens == Array(tokens[...first]))
            #expect(stopped.reason == .stop)
        }
    }

    @Test(arguments: [[2], [1, 3], [3, 1], [2, 1, 3], [3, 2]])
    func `stages of several ranks answer the same as one worker`(shape: [Int]) async throws {
        let names = (0..<shape.reduce(0, +)).map { "w\($0)" }
        try await TestCluster.run(names, { $0.placement = shape }) { cluster in
            try await cluster.waitUntilHealthy()
            let places = shape.indices.flatMap { stage in (0..<shape[stage]).map { [stage, $0] } }
            let health = await cluster.coordinator.health()
            #expect(health.nodes.map { [$0.stage ?? -1, $0.rank ?? -1] } == places)
            let prompt = (0..<700).map { Int32($0) }
            #expect(try await cluster.tokens(prompt, maximum: 20).tokens == TestCluster.expected(prompt, count: 20))
            try await cluster.wait(for: "work of every rank") { health in
                health.nodes.allSatisfy {
                    $0.droppedFrameCount == 0 && $0.keyValueTokenCount == health.keptTokenCount
                }
            }
            #expect(await cluster.coordinator.health().droppedFrameCount == 0)
            // Any rank's departure ends the service, and its return brings it back.
            let last = names[names.count - 1]
            #expect(await cluster.stop(last) == nil)
            try await cluster.wait(for: "departure") { $0.state == .down }
            try cluster.start(last)
            try await cluster.waitUntilHealthy()
            #expect(try await cluster.tokens([3], maximum: 4).tokens == TestCluster.expected([3], count: 4))
        }
    }

    @Test func `a step that all ranks of the last stage fail ends its request once, and the others go on`() async throws
    {
        try await TestCluster.run(["a", "b", "c"], { $0.placement = [1, 2] }) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.fail(on: 666, isRetryable: false)
            let stream = try await cluster.coordinator.generate(.of([666], maximum: 5))
            await #expect(throws: GenerationError.self) { try await TestCluster.collect(stream) }
            for token in 1...5 as ClosedRange<Int32> {
                #expect(
                    try await cluster.tokens([token], maximum: 3).tokens == TestCluster.expected([token], count: 3))
            }
        }
    }

    @Test func `a text is scored over its chunks`() async throws {
        try await TestCluster.run(["a", "b"]) { cluster in
            try await cluster.waitUntilHealthy()
            let tokens = (1...50).map { Int32($0) }
            let text = try await cluster.coordinator.score(tokens: tokens, topCount: 3, chunk: 7)
            #expect(text.nextLogProbabilities == tokens.dropFirst().map { -Float($0) })
            #expect(text.top.count == 50)
            #expect(text.top.allSatisfy { $0.map(\.token) == [0, 1, 2] })
            #expect(text.logitsDigest == [UInt8](repeating: 50, count: 32))
        }
    }

    @Test func `requests are answered in order and those beyond the queue are refused`() async throws {
        try await TestCluster.run(
            ["a", "b"],
            {
                $0.maximumRunningCount = 1; $0.queueLimit = 3
            }
        ) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.hold(true)
            var streams: [GenerationStream] = []
            for token in 1...4 {
                streams.append(try await cluster.coordinator.generate(.of([Int32(token)], maximum: 3)))
            }
            let health = await cluster.coordinator.health()
            #expect(health.runningRequestCount == 1)
            #expect(health.queuedRequestCount == 3)
            await #expect(throws: GenerationError.queueFull(limit: 3, retryAfterSeconds: 1)) {
                try await cluster.coordinator.generate(.of([5], maximum: 3))
            }
            cluster.script.hold(false)
            for (index, stream) in streams.enumerated() {
                let tokens = try await TestCluster.collect(stream).tokens
                #expect(tokens == TestCluster.expected([Int32(index + 1)], count: 3))
            }
            #expect(cluster.script.firstTokens == [1, 2, 3, 4])
        }
    }

    @Test func `impossible requests are refused before anything is sent`() async throws {
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            await #expect(
                throws: GenerationError.contextExceeded(
                    promptTokenCount: 2000, maximumTokenCount: 49, contextLength: 2048)
            ) {
                try await cluster.coordinator.generate(.of([Int32](repeating: 1, count: 2000), maximum: 49))
            }
            await #expect(
                throws: GenerationError.invalidRequest(
                    "token 1000 at position 0 is not in the vocabulary; ids go from 0 to 999")
            ) {
                try await cluster.coordinator.generate(.of([1000], maximum: 1))
            }
            #expect(cluster.script.firstTokens == [])
        }
    }

    @Test func `a client that goes stops the work and its KV is given back`() async throws {
        try await TestCluster.run(["a", "b"]) { cluster in
            try await cluster.waitUntilHealthy()
            do {
                let stream = try await cluster.coordinator.generate(.of([9], maximum: 2000))
                var count = 0
                for try await _ in stream {
                    count += 1
                    if count == 3 { break }
                }
            }
            try await cluster.wait(for: "end of the request") { $0.runningRequestCount == 0 }
            try await cluster.wait(for: "KV cache of what is kept, and nothing else") { health in
                health.nodes.allSatisfy { $0.keyValueTokenCount == health.keptTokenCount }
            }
            #expect(cluster.script.rowCount < 2000)
        }
    }

    @Test func `a cancelled task ends its stream and its request`() async throws {
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.hold(true)
            let stream = try await cluster.coordinator.generate(.of([9], maximum: 5))
            let reader = Task { try await TestCluster.collect(stream) }
            reader.cancel()
            let result = try await reader.value
            #expect(result.tokens == [])
            #expect(result.reason == nil)
            try await cluster.wait(for: "end of the request") { $0.runningRequestCount == 0 }
        }
    }

    @Test func `requests outlive a worker that falls silent, and go on with another`() async throws {
        try await TestCluster.run(
            ["a"],
            {
                $0.workers = .count(2)
                $0.maximumRunningCount = 1
                $0.detectionBound = .seconds(1)
                $0.heartbeatInterval = .milliseconds(100)
                $0.replanDelay = .seconds(60)
            }
        ) { cluster in
            let frozen = try FrozenWorker(try #require(NodeID("b")), coordinator: cluster.coordinator.controlEndpoint)
            defer { frozen.stop() }
            try await cluster.wait(for: "two loaded stages") { health in health.nodes.count { $0.state == .ready } == 2
            }
            let stream = try await cluster.coordinator.generate(.of([1, 2], maximum: 5))
            let queued = try await cluster.coordinator.generate(.of([3], maximum: 4))
            frozen.freeze()
            try await cluster.wait(for: "loss") { $0.state == .recovering }
            let health = await cluster.coordinator.health()
            #expect(health.reason.hasPrefix("waiting for 1 of 2 workers; in "))
            #expect(health.nodes.map(\.state) == [.joining, .lost])
            #expect(health.nodes.last?.detail.hasPrefix("silent for 1.") == true)
            await #expect(throws: GenerationError.self) {
                try await cluster.coordinator.generate(.of([1], maximum: 1))
            }
            #expect(health.queuedRequestCount == 2)
            #expect(health.interruptedRequestCount == 1)
            try cluster.start("c")
            #expect(try await TestCluster.collect(stream).tokens == TestCluster.expected([1, 2], count: 5))
            #expect(try await TestCluster.collect(queued).tokens == TestCluster.expected([3], count: 4))
        }
    }

    @Test func `a request ends with the reason when there is no other placement in time`() async throws {
        try await TestCluster.run(
            ["a", "b"],
            {
                $0.replanDelay = .seconds(60)
                $0.outageLimit = .milliseconds(200)
            }
        ) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.hold(true)
            let stream = try await cluster.coordinator.generate(.of([1, 2], maximum: 5))
            #expect(await cluster.stop("b") == nil)
            do {
                _ = try await TestCluster.collect(stream)
                Issue.record("the request ended as if nothing had happened")
            } catch let error as GenerationError {
                guard case .unavailable(let reason) = error else { throw error }
                #expect(
                    reason.hasPrefix(
                        "waited 0.2 s for another placement in vain: waiting for 1 of 2 workers; in "))
            }
        }
    }

    @Test func `a stream goes on when a worker leaves in its middle and the others take over`() async throws {
        try await TestCluster.run(["a", "b"], { $0.replanDelay = .zero }) { cluster in
            try await cluster.waitUntilHealthy()
            let stream = try await cluster.coordinator.generate(.of([1, 2], maximum: 400))
            var tokens: [Int32] = []
            for try await event in stream {
                if case .token(let choice) = event { tokens.append(choice.token) }
                if tokens.count == 20 { #expect(await cluster.stop("b") == nil) }
            }
            #expect(tokens == TestCluster.expected([1, 2], count: 400))
            let health = await cluster.coordinator.health()
            #expect(health.nodes.map(\.state) == [.ready, .left])
            #expect(health.nodes.first?.endLayer == 6)
            try await cluster.wait(for: "KV cache of what is kept, and nothing else") {
                $0.nodes[0].keyValueTokenCount == $0.keptTokenCount
            }
        }
    }

    @Test func `the next turn goes on from what stages keep of the one before, unless that is turned off`() async throws
    {
        for reuses in [true, false] {
            try await TestCluster.run(["a", "b"], { $0.reusesPrefixes = reuses }) { cluster in
                try await cluster.waitUntilHealthy()
                let prompt = (0..<200).map { Int32($0 + 1) }
                let (tokens, _) = try await cluster.tokens(prompt, maximum: 20)
                let turn = prompt + tokens + [7, 8]
                let rowCount = cluster.script.rowCount
                let stream = try await cluster.coordinator.generate(.of(turn, maximum: 20))
                var events: [GenerationEvent] = []
                for try await event in stream { events.append(event) }
                let expected = TestCluster.expected(turn, count: 20)
                let answer = expected.map { GenerationEvent.token(TokenChoice(token: $0)) } + [.finished(.length)]
                #expect(events == (reuses ? [.reused(tokenCount: 219)] : []) + answer)
                // Three tokens, the first of the answer, and perhaps probes.
                #expect((cluster.script.rowCount - rowCount < 60) == reuses)
                let health = await cluster.coordinator.health()
                #expect(health.keptTokenCount == (reuses ? 241 : 0))
                #expect(health.reusedTokenCount == (reuses ? 219 : 0))
                try await cluster.wait(for: "KV cache of what is kept, and nothing else") { health in
                    health.nodes.allSatisfy { $0.keyValueTokenCount == health.keptTokenCount }
                }
            }
        }
    }

    @Test func `a stage that takes steps and gives nothing back is found by the time-out`() async throws {
        try await TestCluster.run([], { $0.stepTimeout = .seconds(1) }) { cluster in
            let mute = try FrozenWorker(try #require(NodeID("m")), coordinator: cluster.coordinator.controlEndpoint)
            defer { mute.stop() }
            try await cluster.wait(for: "a loaded stage") { $0.nodes.first?.state == .ready }
            #expect(!cluster.coordinator.isReady)
            let stream = try await cluster.coordinator.generate(.of([1, 2], maximum: 5))
            try await cluster.wait(for: "the time-out") { $0.nodes.first?.detail == "no result within 1 s" }
            try cluster.start("b")
            #expect(try await TestCluster.collect(stream).tokens == TestCluster.expected([1, 2], count: 5))
        }
    }

    @Test func `a worker leaves, comes back, and the cluster serves again`() async throws {
        try await TestCluster.run(["a", "b"]) { cluster in
            try await cluster.waitUntilHealthy()
            let epoch = await cluster.coordinator.health().epoch
            #expect(await cluster.stop("b") == nil)
            try await cluster.wait(for: "departure") { $0.nodes.map(\.state) == [.joining, .left] }
            #expect(await cluster.coordinator.health().reason.hasPrefix("waiting for 1 of 2 workers; in "))
            try cluster.start("b")
            try await cluster.waitUntilHealthy()
            #expect(await cluster.coordinator.health().epoch > epoch)
            #expect(try await cluster.tokens([3], maximum: 4).tokens == TestCluster.expected([3], count: 4))
        }
    }

    @Test func `a failed step ends its request with the worker's words and the others go on`() async throws {
        try await TestCluster.run(["a", "b"]) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.fail(on: 666, isRetryable: false)
            let stream = try await cluster.coordinator.generate(.of([666], maximum: 5))
            await #expect(throws: GenerationError.workerFailed(node: "b", reason: "the test wants it to fail")) {
                try await TestCluster.collect(stream)
            }
            #expect(try await cluster.tokens([3], maximum: 1).tokens == TestCluster.expected([3], count: 1))
            try await cluster.wait(for: "KV cache of what is kept, and nothing else") { health in
                health.nodes.allSatisfy { $0.keyValueTokenCount == health.keptTokenCount }
            }
        }
    }

    @Test func `a request that fails each time it is begun anew ends, and the others go on`() async throws {
        try await TestCluster.run(["a", "b"], { $0.rebuildLimit = 3 }) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.fail(on: 666, isRetryable: true)
            let stream = try await cluster.coordinator.generate(.of([666], maximum: 5))
            let other = try await cluster.coordinator.generate(.of([4], maximum: 50))
            let reason = "worker b failed: the test wants it to fail"
            await #expect(throws: GenerationError.lostTooOften(count: 4, reason: reason)) {
                try await TestCluster.collect(stream)
            }
            #expect(try await TestCluster.collect(other).tokens == TestCluster.expected([4], count: 50))
            #expect(cluster.script.firstTokens.count { $0 == 666 } == 4)
        }
    }

    @Test func `a part that cannot be loaded is shown, and loaded when it can be`() async throws {
        try await TestCluster.run([]) { cluster in
            cluster.script.failLoading(StageError("/fake: not found; copy it there", isRetryable: true))
            try cluster.start("a")
            try await cluster.wait(for: "load failure") { health in
                health.nodes.first?.detail == "/fake: not found; copy it there" && health.state == .down
                    && health.reason.hasPrefix("worker a: /fake: not found; copy it there; next try in ")
            }
            cluster.script.failLoading(nil)
            try await cluster.waitUntilHealthy()
            #expect(await cluster.coordinator.health().nodes.map(\.detail) == [""])
        }
    }

    @Test func `a second worker of the same name and one of another cluster are refused with the reason`() async throws
    {
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            let other = try FrozenWorker(try #require(NodeID("b")), coordinator: cluster.coordinator.controlEndpoint)
            defer { other.stop() }
            try await cluster.wait(for: "second worker") { $0.nodes.count == 2 }
            try cluster.start("b")
            let twin = try #require(await cluster.outcome(of: "b") as? WorkerError)
            #expect(twin.description.contains("the name b is in use by process 1 on test"))
            try cluster.start("x", cluster: "elsewhere")
            let stranger = try #require(await cluster.outcome(of: "x") as? WorkerError)
            #expect(stranger.description.contains("this is cluster default, not elsewhere"))
            try await cluster.wait(for: "health") { $0.nodes.map(\.name) == ["a", "b"] && $0.state == .healthy }
        }
    }

    @Test func `frames that have no place are counted and change nothing`() async throws {
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            let epoch = await cluster.coordinator.health().epoch
            let before = await cluster.coordinator.health().droppedFrameCount
            let coordinator = cluster.coordinator
            let sent: Void = try await withCheckedThrowingContinuation { continuation in
                // Sockets belong to one thread.
                do {
                    _ = try OwnedThread.start(name: "stranger") {
                        continuation.resume(with: Result { try Self.sendHostileFrames(to: coordinator, epoch: epoch) })
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
            _ = sent
            try await cluster.wait(for: "dropped frames") { $0.droppedFrameCount >= before + 6 }
            #expect(try await cluster.tokens([3], maximum: 4).tokens == TestCluster.expected([3], count: 4))
            #expect(await cluster.coordinator.health().epoch == epoch)
            #expect(await cluster.coordinator.health().nodes.map(\.name) == ["a"])
        }
    }

    /// Three frames on each plane, of a node that never said hello.
    private static func sendHostileFrames(to coordinator: Coordinator, epoch: UInt64) throws {
        let stranger = try #require(NodeID("stranger"))
        let result = StepResult(
            id: StepID(1), slices: [SliceResult(sequence: SequenceID(1), output: .sampled(TokenChoice(token: 1)))])
        let step = Step(
            id: StepID(1),
            slices: [SequenceSlice(sequence: SequenceID(1), startPosition: 0, tokens: [1], output: .none)])
        func envelope(_ body: Envelope.Body, _ number: UInt64) -> Envelope {
            Envelope(clusterID: "default", epoch: Epoch(number), sender: stranger, body: body)
        }
        let links = try ZeroMQDataLinks(node: stranger, clusterID: "default", binding: "tcp://127.0.0.1:0")
        try links.connect(to: Peer(node: .coordinator, dataEndpoint: coordinator.dataEndpoint))
        for body in [Envelope.Body.stepResult(result), .step(step)] {
            try links.send(envelope(body, epoch), to: .coordinator)
        }
        try links.send(envelope(.stepResult(result), 1), to: .coordinator)
        let control = try ControlClient(node: stranger, connecting: coordinator.controlEndpoint)
        let ready = Envelope.Body.ready(StageReady(weightsByteCount: 1, keyValueTokenCapacity: 1))
        let failure = Envelope.Body.failure(WorkerFailure(kind: .loading, message: "no", isRetryable: false))
        for body in [ready, failure, .leave(Leave(reason: "no"))] {
            for _ in 0..<500 {
                // The connection may still be under way.
                if (try? control.send(envelope(body, epoch))) != nil { break }
                _ = try control.receive(timeout: .milliseconds(10))
            }
        }
        // What has been handed to the sockets leaves before they close.
        _ = try links.receive(timeout: .milliseconds(500))
    }

    @Test func `at its end the coordinator fails what still runs and answers nothing more`() async throws {
        var stream: GenerationStream?
        var coordinator: Coordinator?
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            cluster.script.hold(true)
            stream = try await cluster.coordinator.generate(.of([1], maximum: 5))
            coordinator = cluster.coordinator
        }
        let ended = try #require(coordinator)
        await #expect(throws: GenerationError.self) { try await TestCluster.collect(try #require(stream)) }
        await #expect(throws: GenerationError.unavailable("the coordinator is shutting down")) {
            try await ended.generate(.of([1], maximum: 5))
        }
        #expect(await ended.health().state == .down)
        #expect(!ended.isReady)
    }

    @Test func `a kept request is read again from its first token, also while it runs and after it was given up`()
        async throws
    {
        try await TestCluster.run(["a"]) { cluster in
            try await cluster.waitUntilHealthy()
            let expected = TestCluster.expected([1, 2], count: 40)
            let request = GenerationRequest.of([1, 2], maximum: 40)
            var first: GenerationStream? = try await cluster.coordinator.read(request)
            var tokens: [Int32] = []
            while tokens.count < 10, case .token(let choice)? = try await first?.next() { tokens.append(choice.token) }
            cluster.script.hold(true)
            let second = try await cluster.coordinator.read(request)
            // The one before has lost it.
            await #expect(throws: GenerationError.self) { while try await first?.next() != nil {} }
            first = nil
            cluster.script.hold(false)
            #expect(try await TestCluster.collect(second).tokens == expected)
            #expect(try await TestCluster.collect(cluster.coordinator.read(request)).reason == .length)
            // Given up after some tokens, it goes on from them.
            var other = request
            other.id = "other"
            var third: GenerationStream? = try await cluster.coordinator.read(other)
            _ = try await third?.next()
            third = nil
            try await cluster.wait(for: "idleness") { $0.runningRequestCount == 0 }
            #expect(try await TestCluster.collect(cluster.coordinator.read(other)).tokens == expected)
        }
    }

    @Test func `an endpoint in use and settings that do not fit the model are refused at the start`() async throws {
        try await TestCluster.run([]) { cluster in
            var configuration = ClusterConfiguration()
            configuration.controlEndpoint = cluster.coordinator.controlEndpoint
            #expect(throws: CoordinatorError.self) {
                try Coordinator(configuration: configuration, model: TestCluster.model, logger: TestCluster.quiet)
            }
        }
        var configuration = ClusterConfiguration()
        configuration.contextLength = 4096
        configuration.workers = .named([
            NamedWorker(node: try #require(NodeID("a")), layers: 0..<4),
            NamedWorker(node: try #require(NodeID("b")), layers: 4..<9),
        ])
        do {
            _ = try Coordinator(configuration: configuration, model: TestCluster.model, logger: TestCluster.quiet)
            Issue.record("taken")
        } catch {
            #expect(
                error.description == """
                    context_length: 4096 is over the 2048 that fake was made for; make it 2048 or less
                    workers: their layers end with 8, those of fake with 5; make the last worker's layers end with 5
                    """)
        }
    }
}
