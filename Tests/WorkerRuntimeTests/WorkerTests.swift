import Synchronization
import Testing
import Transport
import Wire
import WorkerRuntime
import ZeroMQ

@Suite struct WorkerTests {
    private func token(_ result: StepResult) -> Int32? {
        if case .sampled(let choice)? = result.slices.first?.output { choice.token } else { nil }
    }

    /// An endpoint on which nothing listens now.
    private func freeEndpoint() throws -> String {
        try ControlServer(binding: "tcp://127.0.0.1:0").endpoint
    }

    /// libzmq closes a port's last owner behind the scenes, so it may take a moment to be free again.
    private func coordinator(at endpoint: String) throws -> FakeCoordinator {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        let pause = try WakeSignal()
        while clock.now < deadline {
            if let coordinator = try? FakeCoordinator(binding: endpoint) { return coordinator }
            pause.wait(timeout: .milliseconds(5))
        }
        return try FakeCoordinator(binding: endpoint)
    }

    @Test func `three workers pass steps on and the last one answers`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try ["w0", "w1", "w2"].map { try RunningWorker($0, coordinator: coordinator.control.endpoint) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        #expect(coordinator.hellos[nodes[1]]?.instructionSet == "portable")
        #expect(try #require(coordinator.hellos[nodes[1]]).memoryByteCount > 0)
        try coordinator.assign(nodes, epoch: 1)
        for id in 1...20 as ClosedRange<UInt64> {
            try coordinator.sendStep(id, to: nodes[0], tokens: [1, Int32(id)])
            let answer = try coordinator.nextResult()
            #expect(answer.sender == nodes[2])
            #expect(answer.epoch == Epoch(1))
            #expect(answer.result.id == StepID(id))
            #expect(token(answer.result) == Int32(id) + 2)
        }
        // The figures of heartbeats follow.
        let heartbeat: Heartbeat = try coordinator.wait("heartbeat with 40 tokens") { envelope, node in
            guard node == nodes[1], case .heartbeat(let heartbeat) = envelope.body else { return nil }
            return heartbeat.computedTokenCount == 40 && heartbeat.roundTrip != nil ? heartbeat : nil
        }
        #expect(heartbeat.keyValueTokenCount == 40)
        #expect(heartbeat.keyValueTokenCapacity == 500)
        #expect(heartbeat.droppedFrameCount == 0)
        #expect(heartbeat.memoryUsedByteCount > 0 && heartbeat.memoryFreeByteCount > 0)
        for worker in workers { #expect(worker.stop() == nil) }
        for _ in workers {
            _ = try coordinator.wait("leave") { envelope, _ in
                if case .leave = envelope.body { true } else { nil }
            }
        }
    }

    @Test func `ranks pass steps on to their own next ones, and only rank 0 of the last stage answers`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try (0..<6).map { try RunningWorker("w\($0)", coordinator: coordinator.control.endpoint) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        let stages = [Array(nodes[..<2]), [nodes[2]], Array(nodes[3...])]
        try coordinator.assign(stages: stages, epoch: 1)
        for id in 1...20 as ClosedRange<UInt64> {
            for node in stages[0] { try coordinator.sendStep(id, to: node, tokens: [1, Int32(id)]) }
            let answer = try coordinator.nextResult()
            #expect(answer.sender == nodes[3])
            #expect(answer.result.id == StepID(id))
            #expect(token(answer.result) == Int32(id) + 2)
        }
        var waiting = Set(nodes)
        while !waiting.isEmpty {
            let done: NodeID = try coordinator.wait("heartbeat with 40 tokens") { envelope, node in
                guard case .heartbeat(let heartbeat) = envelope.body else { return nil }
                #expect(heartbeat.droppedFrameCount == 0)
                return heartbeat.computedTokenCount == 40 ? node : nil
            }
            waiting.remove(done)
        }
        // What a worker loaded serves on as long as its stage stays as it is.
        try coordinator.assign(stages: [[nodes[0]], [nodes[2]]], epoch: 2)
        try coordinator.sendStep(1, epoch: 2, to: nodes[0], tokens: [1, 5])
        #expect(try coordinator.nextResult().sender == nodes[2])
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `a rank's part has no place in a worker that expects none, and is counted`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1)
        let exchange = Envelope(
            clusterID: "test", epoch: Epoch(1), sender: .coordinator,
            body: .exchange(Exchange(step: StepID(1), round: 0)))
        let part: [Float] = [1, 2, 3]
        try coordinator.data.send(exchange, payload: part.span.bytes, to: worker.node)
        try coordinator.sendStep(1, to: worker.node)
        #expect(token(try coordinator.nextResult().result) == 7)
        _ = try coordinator.wait("heartbeat with one dropped frame") { envelope, _ in
            guard case .heartbeat(let heartbeat) = envelope.body else { return nil as Bool? }
            return heartbeat.droppedFrameCount == 1 ? true : nil
        }
        #expect(worker.stop() == nil)
    }

    @Test func `workers of one machine say so, unless they are to use sockets`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try [true, true, false].enumerated().map { index, sharesMemory in
            try RunningWorker("w\(index)", coordinator: coordinator.control.endpoint, sharesMemory: sharesMemory)
        }
        try coordinator.waitForHellos(workers.map(\.node))
        let ids = workers.compactMap { coordinator.hellos[$0.node]?.hostID }
        #expect(ids.count == 3)
        #expect(ids[0] == ids[1] && !ids[0].isEmpty)
        #expect(ids[2] == "")
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `one worker can be the whole pipeline`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1)
        try coordinator.sendStep(1, to: worker.node, tokens: [9])
        #expect(token(try coordinator.nextResult().result) == 9)
        #expect(worker.stop() == nil)
    }

    @Test func `a step of an older epoch is dropped, and the new epoch is served`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 4)
        try coordinator.sendStep(1, epoch: 4, to: worker.node)
        #expect(try coordinator.nextResult().epoch == Epoch(4))
        try coordinator.assign([worker.node], epoch: 5)
        try coordinator.sendStep(2, epoch: 4, to: worker.node)
        try coordinator.sendStep(1, epoch: 5, to: worker.node)
        let answer = try coordinator.nextResult()
        #expect(answer.epoch == Epoch(5) && answer.result.id == StepID(1))
        // An assignment of an epoch that is over changes nothing.
        try coordinator.assign(0, of: [worker.node], 5)
        try coordinator.sendStep(2, epoch: 5, to: worker.node)
        #expect(try coordinator.nextResult().result.id == StepID(2))
        let dropped: UInt64 = try coordinator.wait("two drops") { envelope, _ in
            guard case .heartbeat(let heartbeat) = envelope.body, heartbeat.droppedFrameCount >= 2 else { return nil }
            return heartbeat.droppedFrameCount
        }
        #expect(dropped == 2)
        #expect(worker.stop() == nil)
    }

    @Test func `a failing stage reports the step, and the worker goes on`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try ["w0", "w1"].map { try RunningWorker($0, coordinator: coordinator.control.endpoint) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        try coordinator.assign(nodes, epoch: 1)
        try coordinator.sendStep(1, to: nodes[0], sequence: ArithmeticStage.badSequence)
        let report = try coordinator.nextFailure()
        #expect(report.node == nodes[0] && report.epoch == Epoch(1))
        #expect(report.failure.kind == .step(StepID(1)))
        #expect(report.failure.message.contains("cursed") && report.failure.isRetryable)
        try coordinator.sendStep(2, to: nodes[0])
        #expect(token(try coordinator.nextResult().result) == 8)
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `steps that are too long, out of order or with the wrong tensor are reported and dropped`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1, maximumStepRowCount: 4)
        try coordinator.sendStep(3, to: worker.node, tokens: [1, 2, 3, 4, 5])
        var report = try coordinator.nextFailure()
        #expect(report.failure.kind == .step(StepID(3)) && report.failure.message.contains("5 rows"))
        try coordinator.sendStep(3, to: worker.node)
        report = try coordinator.nextFailure()
        #expect(report.failure.kind == .step(StepID(3)) && report.failure.message.contains("after step 3"))
        let surplus: [Float] = [1]
        try coordinator.data.send(
            coordinator.stepEnvelope(4), payload: surplus.span.bytes, to: worker.node)
        report = try coordinator.nextFailure()
        #expect(report.failure.kind == .step(StepID(4)) && report.failure.message.contains("4 bytes"))
        try coordinator.sendStep(5, to: worker.node)
        #expect(try coordinator.nextResult().result.id == StepID(5))
        #expect(worker.stop() == nil)
    }

    @Test func `a worker hit by hostile frames counts them and stays alive`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1)
        let mallory = try nodeID("mallory")
        let intruder = try ZeroMQDataLinks(node: mallory, clusterID: "test", binding: "tcp://127.0.0.1:0")
        try intruder.connect(to: try coordinator.peer(worker.node))
        // A well-formed step from a node that has no business sending one.
        try intruder.send(coordinator.stepEnvelope(1, sender: mallory), to: worker.node)
        // The same in the coordinator's name.
        try intruder.send(coordinator.stepEnvelope(1), to: worker.node)
        let peer = try coordinator.peer(worker.node)
        var options = SocketOptions()
        options.routingID = Array("mallory/7".utf8)
        options.sendTimeout = patience
        let socket = try Socket(.dealer, name: peer.dataEndpoint, options: options)
        try socket.connect(peer.dataEndpoint)
        for count in 1...5 {
            for part in 1...count {
                let bytes = [UInt8](repeating: UInt8(0x20 + part), count: 100)
                try socket.send(try Message(copying: bytes.span.bytes), hasMore: part < count)
            }
        }
        let dropped: UInt64 = try coordinator.wait("seven drops") { envelope, _ in
            guard case .heartbeat(let heartbeat) = envelope.body, heartbeat.droppedFrameCount >= 7 else { return nil }
            return heartbeat.droppedFrameCount
        }
        #expect(dropped == 7)
        try coordinator.sendStep(1, to: worker.node)
        #expect(try coordinator.nextResult().result.id == StepID(1))
        #expect(worker.stop() == nil)
    }

    @Test func `heartbeats go on while a step takes long`() throws {
        let slowStep = try SlowStep()
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint) { stage, _, _ in
            ArithmeticStage(stage, slowStep: slowStep)
        }
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1)
        try coordinator.sendStep(1, to: worker.node, sequence: ArithmeticStage.slowSequence)
        #expect(slowStep.begun.wait(timeout: patience))
        let first = coordinator.lastHeartbeat[worker.node]?.number ?? 0
        _ = try coordinator.wait("ten heartbeats during the step") { envelope, _ in
            guard case .heartbeat(let heartbeat) = envelope.body else { return nil as Bool? }
            return heartbeat.number >= first + 10 ? true : nil
        }
        slowStep.goOn.signal()
        #expect(try coordinator.nextResult().result.id == StepID(1))
        #expect(worker.stop() == nil)
    }

    @Test func `a stage that can't be loaded is reported, and another assignment is taken`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint) {
            assignment, _, _ throws(StageError) in
            if assignment.maximumStepRowCount == 13 { throw StageError("no such model here", isRetryable: false) }
            return ArithmeticStage(assignment)
        }
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign(0, of: [worker.node], 1, 13)
        let report = try coordinator.nextFailure()
        #expect(report.epoch == Epoch(1))
        #expect(
            report.failure == WorkerFailure(kind: .loading, message: "no such model here", isRetryable: false))
        try coordinator.assign([worker.node], epoch: 2)
        try coordinator.sendStep(1, epoch: 2, to: worker.node)
        #expect(try coordinator.nextResult().result.id == StepID(1))
        #expect(worker.stop() == nil)
    }

    @Test func `workers that start before the coordinator join when it comes`() throws {
        let endpoint = try freeEndpoint()
        let workers = try ["early0", "early1"].map { try RunningWorker($0, coordinator: endpoint) }
        let coordinator = try coordinator(at: endpoint)
        try coordinator.waitForHellos(workers.map(\.node))
        try coordinator.assign(workers.map(\.node), epoch: 1)
        try coordinator.sendStep(1, to: workers[0].node)
        #expect(token(try coordinator.nextResult().result) == 8)
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `a worker finds a coordinator that was started anew`() throws {
        let endpoint = try freeEndpoint()
        let worker = try RunningWorker("w", coordinator: endpoint)
        var incarnations: Set<UInt64> = []
        for _ in 0..<2 {
            let coordinator = try coordinator(at: endpoint)
            try coordinator.waitForHellos([worker.node])
            incarnations.insert(try #require(coordinator.hellos[worker.node]).incarnation)
            // Each counts its epochs from 1.
            try coordinator.assign([worker.node], epoch: 1)
            try coordinator.sendStep(1, to: worker.node, tokens: [3])
            #expect(token(try coordinator.nextResult().result) == 3)
        }
        #expect(incarnations.count == 1)
        #expect(worker.stop() == nil)
    }

    @Test func `a worker that gets no answers says hello again on a new connection`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        let old = coordinator.connections[worker.node]
        _ = try coordinator.wait("a heartbeat") { envelope, _ in
            if case .heartbeat = envelope.body { true } else { nil }
        }
        coordinator.isAnswering = false
        _ = try coordinator.wait("another hello") { envelope, _ in
            if case .hello = envelope.body { true } else { nil }
        }
        #expect(coordinator.connections[worker.node] != old)
        coordinator.isAnswering = true
        try coordinator.waitForHellos([worker.node])
        _ = try coordinator.wait("a heartbeat") { envelope, _ in
            if case .heartbeat = envelope.body { true } else { nil }
        }
        #expect(worker.stop() == nil)
    }

    @Test func `a refused worker ends with the coordinator's reason`() throws {
        let coordinator = try FakeCoordinator()
        coordinator.isAnswering = false
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint)
        try coordinator.waitForHellos([worker.node])
        try coordinator.send(.refusal(Refusal(reason: "the name w is taken")), to: worker.node)
        let endpoint = coordinator.control.endpoint
        #expect(worker.end() == .refused(coordinator: endpoint, reason: "the name w is taken"))
    }

    @Test func `a worker says where it serves weights, or that it does not`() throws {
        let coordinator = try FakeCoordinator()
        for isServing in [true, false] {
            let worker = try RunningWorker(
                isServing ? "serving" : "not", coordinator: coordinator.control.endpoint, servesWeights: isServing)
            try coordinator.waitForHellos([worker.node])
            // The first may come before its port is bound.
            let offer = try coordinator.wait("an offer") { envelope, _ -> WeightsOffer? in
                guard envelope.sender == worker.node, case .weightsOffer(let offer) = envelope.body else { return nil }
                return offer.endpoint.isEmpty == isServing ? nil : offer
            }
            #expect(offer.headerDigest == [] && offer.heldByteCount == 0)
            #expect(!isServing || offer.endpoint.hasPrefix("tcp://127.0.0.1:"))
            #expect(worker.stop() == nil)
        }
    }

    @Test func `a data endpoint in use ends the worker with its name`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try RunningWorker(
            "w", coordinator: coordinator.control.endpoint, dataEndpoint: coordinator.data.endpoint)
        guard case .system(let problem)? = worker.end() else {
            Issue.record("the worker did not end")
            return
        }
        #expect(problem.contains(coordinator.data.endpoint) && problem.contains("in use"))
    }

    @Test func `a data endpoint beyond the coordinator's network needs the operator's word`() throws {
        let coordinator = try FakeCoordinator()
        for endpoint in ["tcp://*:0", "tcp://0.0.0.0:0", "tcp://192.0.2.1:7071"] {
            let worker = try RunningWorker(
                "w", coordinator: coordinator.control.endpoint, dataEndpoint: endpoint)
            guard case .system(let problem)? = worker.end() else {
                Issue.record("the worker did not end")
                return
            }
            #expect(problem.contains("--data \(endpoint)") && problem.contains("--security none"))
        }
        let worker = try RunningWorker(
            "told", coordinator: coordinator.control.endpoint, dataEndpoint: "tcp://*:0", allowsPlainText: true)
        try coordinator.waitForHellos([worker.node])
        #expect(coordinator.hellos[worker.node]?.dataEndpoint.hasPrefix("tcp://127.0.0.1:") == true)
        #expect(worker.stop() == nil)
    }

    @Test func `a stage whose part does not change is kept in the next epoch, without its sequences`() throws {
        let coordinator = try FakeCoordinator()
        let loads = LoadCount()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint) { assignment, _, _ in
            loads.add()
            return ArithmeticStage(assignment)
        }
        try coordinator.waitForHellos([worker.node])
        try coordinator.assign([worker.node], epoch: 1)
        try coordinator.sendStep(1, epoch: 1, to: worker.node)
        #expect(token(try coordinator.nextResult().result) == 7)
        try coordinator.assign([worker.node], epoch: 2)
        #expect(loads.count == 1)
        try coordinator.sendStep(1, epoch: 2, to: worker.node, tokens: [9])
        let answer = try coordinator.nextResult()
        #expect(answer.epoch == Epoch(2) && token(answer.result) == 9)
        let held: Int = try coordinator.wait("heartbeat with 3 tokens computed") { envelope, _ in
            guard case .heartbeat(let heartbeat) = envelope.body, heartbeat.computedTokenCount == 3 else { return nil }
            return heartbeat.keyValueTokenCount
        }
        #expect(held == 1)
        try coordinator.assign([worker.node], epoch: 3, maximumStepRowCount: 8)
        #expect(loads.count == 2)
        // The head's precision changes answers.
        try coordinator.assign([worker.node], epoch: 4, maximumStepRowCount: 8, headPrecision: .eightBit)
        #expect(loads.count == 3)
        #expect(worker.stop() == nil)
    }

    @Test func `a part that was kept ready serves without being loaded again, until it is released`() throws {
        let coordinator = try FakeCoordinator()
        let loads = LoadCount()
        let worker = try RunningWorker("w", coordinator: coordinator.control.endpoint) { assignment, group, _ in
            loads.add()
            #expect(group.rankCount == 1)
            return ArithmeticStage(assignment)
        }
        try coordinator.waitForHellos([worker.node])
        let assignment = try coordinator.assignment(0, 0, of: [[worker.node]])
        func waitUntilHeld(_ part: UInt64) throws {
            let _: Bool = try coordinator.wait("heartbeat with part \(part)") { envelope, _ in
                guard case .heartbeat(let heartbeat) = envelope.body, heartbeat.heldPart == part else { return nil }
                return true
            }
        }
        try coordinator.send(.standby(assignment), epoch: 1, to: worker.node)
        try waitUntilHeld(assignment.partDigest)
        // It serves nothing yet.
        #expect(loads.count == 1)
        try coordinator.assign([worker.node], epoch: 2)
        try coordinator.sendStep(1, epoch: 2, to: worker.node)
        #expect(token(try coordinator.nextResult().result) == 7)
        #expect(loads.count == 1)
        // It loses its place, and keeps the part for whoever may need it.
        try coordinator.send(.standby(assignment), epoch: 3, to: worker.node)
        try waitUntilHeld(assignment.partDigest)
        try coordinator.assign([worker.node], epoch: 4)
        #expect(loads.count == 1)
        try coordinator.send(.release, epoch: 5, to: worker.node)
        try waitUntilHeld(0)
        try coordinator.assign([worker.node], epoch: 6)
        #expect(loads.count == 2)
        #expect(worker.stop() == nil)
    }

    @Test func `a coordinator endpoint that is none ends the worker with it`() throws {
        let worker = try RunningWorker("w", coordinator: "192.168.1.10")
        guard case .system(let problem)? = worker.end() else {
            Issue.record("the worker did not end")
            return
        }
        #expect(problem.contains("192.168.1.10") && problem.contains("tcp://HOST:PORT"))
    }

    @Test func `run ends when its task is cancelled`() async throws {
        let configuration = WorkerConfiguration(
            coordinatorEndpoint: try freeEndpoint(), cpuModel: "test", instructionSet: "portable", threadCount: 1)
        let worker = try Worker(configuration: configuration, logger: quiet) { stage, _, _ in ArithmeticStage(stage) }
        let task = Task { try await worker.run() }
        task.cancel()
        try await task.value
        await #expect(throws: WorkerError.alreadyRan) { try await worker.run() }
    }

    @Test func `default names differ and are node names`() {
        let names = (0..<20).map { _ in WorkerConfiguration.defaultName().name }
        #expect(Set(names).count > 1)
        #expect(names.allSatisfy { NodeID($0) != nil && $0 != "coordinator" })
    }
}

/// How often a stage was loaded.
private final class LoadCount: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock(\.self) }
    func add() { value.withLock { $0 += 1 } }
}
