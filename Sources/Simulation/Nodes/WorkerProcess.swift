import ClusterCore
import DequeModule
import Transport
import Wire
import WorkerRuntime

/// A worker's process: the real `ControlSession`, driven as `ControlLoop` does, and a compute thread.
final class WorkerProcess {
    let world: World
    let machine: Machine
    /// Counts the processes of the machine.
    let number: Int
    let dataEndpoint: String
    private var session: ControlSession
    private var channel: Channel
    private var inbox = Deque<Envelope>()
    /// Of the compute thread, which the control thread has not got to.
    private var reports: [ComputeReport] = []
    /// Reports that found no connection. Sent before anything newer.
    private(set) var unsent: [Envelope] = []
    private var isStopping = false
    private var ending: ControlSession.Ending?
    private var turn = Turn()
    private let startedAt: Instant
    private(set) var droppedFrameCount: UInt64 = 0
    private(set) var compute: ComputeThread?

    private static let unsentLimit = 64
    private static let reportLimit = 64

    init(_ machine: Machine, in world: World) {
        self.world = world
        self.machine = machine
        number = machine.processCount
        startedAt = machine.clock.reading(at: world.now)
        dataEndpoint = world.plan.dataEndpoint(of: machine)
        session = ControlSession(node: machine.node, clusterID: ClusterPlan.clusterID, at: .zero)
        channel = world.network.open(.control, from: machine.index, to: 0, at: ClusterPlan.controlEndpoint)
        world.network.listen(at: dataEndpoint, machine: machine.index)
        compute = ComputeThread(self)
        wake()
    }

    /// Since the process began, by its machine's clock.
    var time: Duration { startedAt.duration(to: machine.clock.reading(at: world.now)) }

    func wake() { wake(at: world.now) }

    private func wake(at time: Instant) {
        turn.schedule(.control, of: machine, process: number, at: time, on: world.timeline)
    }

    /// Goes on after it stood still.
    func thaw() {
        wake()
        compute?.wake()
    }

    func take(_ envelope: Envelope, from channel: Channel) {
        guard channel.number == self.channel.number else { return }
        inbox.append(envelope)
        wake()
    }

    func drop(_ reason: DropReason) { droppedFrameCount += 1 }

    func post(_ report: ComputeReport) {
        if reports.count >= Self.reportLimit { reports.removeFirst() }
        reports.append(report)
        wake()
    }

    /// Leaves the cluster.
    func stop() {
        isStopping = true
        wake()
    }

    /// Closes all that it has open, as the system does when a process has ended.
    func close() {
        machine.isRunning = false
        world.network.close(channel)
        compute?.close()
        world.network.stopListening(at: dataEndpoint)
        compute = nil
    }

    func takeTurn() {
        guard turn.begin(.control, of: machine, process: number, on: world.timeline) else { return }
        while true {
            if isStopping { handle(.stop(reason: "the worker was stopped")) }
            let reports = reports
            self.reports = []
            for report in reports { handle(.report(report)) }
            handle(.tick)
            if let ending {
                close()
                world.workerEnded?(machine, ending)
                return
            }
            flush()
            guard let envelope = inbox.popFirst() else { break }
            handle(.received(envelope))
        }
        guard let deadline = session.nextDeadline else { return }
        wake(at: machine.clock.instant(of: startedAt.advanced(by: deadline)))
    }
}

extension WorkerProcess {
    private func handle(_ event: ControlSession.Event) {
        for effect in session.handle(event, at: time) { perform(effect) }
    }

    private func perform(_ effect: ControlSession.Effect) {
        switch effect {
        case .sendHello: handle(.helloSent(send(envelope(.hello(hello), Epoch(0)))))
        case .sendHeartbeat(let number, let roundTrip):
            _ = send(envelope(.heartbeat(heartbeat(number, roundTrip)), Epoch(0)))
        case .send(let body, let epoch):
            let envelope = envelope(body, epoch)
            if unsent.isEmpty, send(envelope) { return }
            if unsent.count >= Self.unsentLimit { unsent.removeFirst() }
            unsent.append(envelope)
        case .reconnect:
            session.hold(unsent.map { ($0.body, $0.epoch) })
            unsent = []
            inbox = []
            world.network.close(channel)
            channel = world.network.open(.control, from: machine.index, to: 0, at: ClusterPlan.controlEndpoint)
        case .assign(let assignment, let epoch, let results, _):
            world.referee.noteAssigned(machine.index, process: number, epoch, at: world.now)
            compute?.order(.assign(ComputeThread.Assignment(epoch: epoch, stage: assignment, results: results)))
        case .keepReady(let assignment, let epoch, _): compute?.order(.keepReady(assignment, epoch))
        case .release: compute?.order(.release)
        case .measure(let order, let epoch): compute?.order(order, epoch)
        case .drop(let reason): drop(reason)
        case .end(let ending):
            flush()
            self.ending = ending
        // Links are plain text here, and files are everywhere.
        case .trust, .fetchFrom: break
        }
    }

    private func flush() {
        while let envelope = unsent.first, send(envelope) { unsent.removeFirst() }
    }

    private func send(_ envelope: Envelope) -> Bool {
        do throws(WireError) { return try world.network.send(envelope, over: channel, .toServer) } catch {
            world.referee.violate(
                .limits, "\(machine.node) cannot send a control message: \(error)", at: world.now)
            return true
        }
    }

    private func envelope(_ body: Envelope.Body, _ epoch: Epoch) -> Envelope {
        Envelope(clusterID: ClusterPlan.clusterID, epoch: epoch, sender: machine.node, body: body)
    }

    private var hello: Hello {
        Hello(
            incarnation: UInt64(number), processID: Int32(machine.index * 1000 + number), hostName: machine.node.name,
            hostID: "", cpuModel: "simulated", instructionSet: "portable", threadCount: 4,
            memoryByteCount: ClusterPlan.memoryByteCount, memoryFreeByteCount: ClusterPlan.memoryByteCount,
            dataEndpoint: dataEndpoint, heldPart: compute?.heldPart ?? 0)
    }

    private func heartbeat(_ number: UInt64, _ roundTrip: Duration?) -> Heartbeat {
        Heartbeat(
            number: number, memoryUsedByteCount: compute?.memoryByteCount ?? 0,
            memoryFreeByteCount: ClusterPlan.memoryByteCount - (compute?.memoryByteCount ?? 0),
            keyValueTokenCount: compute?.stage?.keyValueTokenCount ?? 0,
            keyValueTokenCapacity: compute?.stage?.keyValueTokenCapacity ?? 0,
            computedTokenCount: compute?.computedTokenCount ?? 0, droppedFrameCount: droppedFrameCount,
            roundTrip: roundTrip, heldPart: compute?.heldPart ?? 0)
    }
}
