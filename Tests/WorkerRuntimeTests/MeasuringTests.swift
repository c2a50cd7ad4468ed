import Testing
import Transport
import WorkerRuntime

@Suite struct MeasuringTests {
    private static let kernels = KernelRates(bytesPerSecond: 1e9, multiplyAddsPerSecond: 2e9)

    private static func rates(_ again: Bool) -> NodeRates {
        NodeRates(
            ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: again ? 2 : 1.6,
            taskSeconds: 1e-6, layerSeconds: 5e-6,
            hostBytesPerSecond: 3e9, hostCoreCount: 2, memoryFreeByteCount: 100)
    }

    private static func worker(_ name: String, _ coordinator: FakeCoordinator) throws -> RunningWorker {
        try RunningWorker(
            name, coordinator: coordinator.control.endpoint, meter: { again throws(StageError) in rates(again) })
    }

    private static func nextReport(
        _ coordinator: FakeCoordinator, number: UInt64
    ) throws -> (node: NodeID, result: MeasurementReport.Result) {
        try coordinator.wait("report \(number)") { envelope, node in
            guard case .measurementReport(let report) = envelope.body, report.number == number else { return nil }
            return (node, report.result)
        }
    }

    @Test func `a worker says how fast it is when it joins, and when it is asked`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try Self.worker("w0", coordinator)
        #expect(try Self.nextReport(coordinator, number: 0).result == .node(Self.rates(false)))
        try coordinator.assign([worker.node], epoch: 1)
        try coordinator.send(.measurementOrder(MeasurementOrder(number: 7, task: .node)), epoch: 1, to: worker.node)
        var rates = Self.rates(true)
        // What its stage holds is free for another placement.
        rates.memoryFreeByteCount += 1000
        #expect(try Self.nextReport(coordinator, number: 7).result == .node(rates))
        #expect(worker.stop() == nil)
    }

    @Test func `each coordinator that takes a worker in is told`() throws {
        let coordinator = try FakeCoordinator()
        let worker = try Self.worker("w0", coordinator)
        for _ in 0..<2 {
            #expect(try Self.nextReport(coordinator, number: 0).result == .node(Self.rates(false)))
            // It says hello again when nobody answers.
            coordinator.isAnswering = false
            coordinator.forgetHellos()
            try coordinator.waitForHellos([worker.node])
            coordinator.isAnswering = true
        }
        #expect(worker.stop() == nil)
    }

    @Test func `two workers measure their link, also while it serves a pipeline, which goes on`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try ["w0", "w1"].map { try Self.worker($0, coordinator) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        for epoch in [0, 1] as [UInt64] {
            if epoch > 0 { try coordinator.assign(nodes, epoch: epoch) }
            let number = 10 + epoch
            let sharesMemory = epoch > 0
            let peers = try nodes.map { node in
                var peer = try coordinator.peer(node)
                if sharesMemory { peer.hostID = try #require(coordinator.hellos[node]).hostID }
                return peer
            }
            try coordinator.send(
                .measurementOrder(MeasurementOrder(number: number, task: .answering(peers[0]))), epoch: epoch,
                to: nodes[1])
            let answering = try Self.nextReport(coordinator, number: number)
            #expect(answering.node == nodes[1] && answering.result == .answering)
            try coordinator.send(
                .measurementOrder(MeasurementOrder(number: number, task: .link(peers[1]))), epoch: epoch, to: nodes[0])
            let report = try Self.nextReport(coordinator, number: number)
            guard case .link(let link, let other) = report.result else {
                Issue.record("\(report.result)")
                return
            }
            #expect(report.node == nodes[0] && other == nodes[1])
            #expect((link.memory != nil) == sharesMemory)
            for way in [link.sockets] + (link.memory.map { [$0] } ?? []) {
                #expect(way.roundTrips.map(\.byteCount) == [64, 10240, 1 << 20])
                #expect(way.roundTrips.allSatisfy { $0.seconds > 0 })
                #expect(way.bandwidthBytesPerSecond > 0 && way.messageSeconds >= 0)
            }
        }
        try coordinator.sendStep(1, to: nodes[0])
        #expect(try coordinator.nextResult().sender == nodes[1])
        for node in nodes {
            let heartbeat: Heartbeat = try coordinator.wait("heartbeat") { envelope, sender in
                if sender == node, case .heartbeat(let heartbeat) = envelope.body { heartbeat } else { nil }
            }
            #expect(heartbeat.droppedFrameCount == 0)
        }
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `a link to a worker that does not answer is named, and the worker goes on`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try ["w0", "w1"].map { try Self.worker($0, coordinator) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        try coordinator.send(
            .measurementOrder(MeasurementOrder(number: 3, task: .link(try coordinator.peer(nodes[1])))), to: nodes[0])
        let report = try Self.nextReport(coordinator, number: 3)
        guard case .problem(let problem) = report.result else {
            Issue.record("\(report.result)")
            return
        }
        #expect(problem.hasPrefix("w1 did not answer within 2 s; see whether"))
        let nowhere = Peer(node: nodes[1], dataEndpoint: "tcp://127.0.0.1:1")
        try coordinator.send(.measurementOrder(MeasurementOrder(number: 4, task: .link(nowhere))), to: nodes[0])
        guard case .problem(let problem) = try Self.nextReport(coordinator, number: 4).result else {
            Issue.record("a link to nowhere")
            return
        }
        #expect(problem.hasPrefix("the link to w1: w1 took nothing within"))
        try coordinator.assign(nodes, epoch: 1)
        for worker in workers { #expect(worker.stop() == nil) }
    }

    @Test func `an assignment ends a measurement`() throws {
        let coordinator = try FakeCoordinator()
        let workers = try ["w0", "w1"].map { try Self.worker($0, coordinator) }
        let nodes = workers.map(\.node)
        try coordinator.waitForHellos(nodes)
        try coordinator.send(
            .measurementOrder(MeasurementOrder(number: 3, task: .answering(try coordinator.peer(nodes[1])))),
            to: nodes[0])
        #expect(try Self.nextReport(coordinator, number: 3).result == .answering)
        try coordinator.assign(nodes, epoch: 1)
        for worker in workers { #expect(worker.stop() == nil) }
    }
}
