import ClusterCore
import CoordinatorRuntime
import DequeModule
import Transport
import Wire

/// The coordinator's process: the real `CoordinatorCore`, driven as `CoordinatorLoop` and `ControlPlane` do.
final class CoordinatorProcess {
    typealias Core = CoordinatorCore<SimulatedConnection>

    private enum Mail {
        case control(Envelope, SimulatedConnection)
        case closed(SimulatedConnection)
        case submission(Ticket, Work)
        case operation(ClusterOperation, Fault?)
    }

    let world: World
    let machine: Machine
    let number: Int
    private(set) var core: Core
    private let tampering: Tampering?
    private var tickHold: TickHold
    private var mail: [Mail] = []
    private var cancelled: [Ticket] = []
    private var deliveries = Deque<Envelope>()
    /// Requests whose client still waits.
    private var sinks: Set<Ticket> = []
    /// The ranks of the first stages, to which there are links.
    private var entrances: [(node: NodeID, channel: Channel)] = []
    private var turn = Turn()
    /// How far its thread has got, which waits to send.
    private var busyUntil = Instant.zero

    init(_ machine: Machine, in world: World, tampering: Tampering?) throws(PlanningError) {
        self.world = world
        self.machine = machine
        self.tampering = tampering
        number = machine.processCount
        core = try Core(configuration: world.plan.coordination(startedAt: world.now, process: number))
        tickHold = TickHold(length: core.configuration.heartbeatInterval * 2)
        world.network.listen(at: ClusterPlan.controlEndpoint, machine: machine.index)
        world.network.listen(at: ClusterPlan.dataEndpoint, machine: machine.index)
        wake()
    }

    /// What its clock shows where its thread has got to.
    private var time: Instant { machine.clock.reading(at: max(world.now, busyUntil)) }

    func wake() { wake(at: world.now) }

    private func wake(at time: Instant) {
        turn.schedule(.control, of: machine, process: number, at: max(time, busyUntil), on: world.timeline)
    }

    func take(_ envelope: Envelope, from channel: Channel) {
        switch channel.plane {
        case .control:
            let node = world.machines[channel.client].node
            mail.append(.control(envelope, SimulatedConnection(node: node, channel: channel.number)))
        case .data: deliveries.append(envelope)
        }
        wake()
    }

    func submit(_ ticket: Ticket, _ work: Work) {
        mail.append(.submission(ticket, work))
        wake()
    }

    /// - Parameter fault: what is counted if it is not refused.
    func operate(_ operation: ClusterOperation, as fault: Fault?) {
        mail.append(.operation(operation, fault))
        wake()
    }

    func cancel(_ ticket: Ticket) {
        cancelled.append(ticket)
        wake()
    }

    /// Closes all that it has open, as the system does when a process has ended.
    func close() {
        machine.isRunning = false
        for entrance in entrances { world.network.close(entrance.channel) }
        world.network.stopListening(at: ClusterPlan.controlEndpoint)
        world.network.stopListening(at: ClusterPlan.dataEndpoint)
    }

    func takeTurn() {
        guard turn.begin(.control, of: machine, process: number, on: world.timeline) else { return }
        tickHold.wake(at: time)
        let (mail, cancelled) = (mail, cancelled)
        (self.mail, self.cancelled) = ([], [])
        let delivery = deliveries.popFirst()
        for mail in mail { handle(mail) }
        for ticket in cancelled where sinks.remove(ticket) != nil {
            world.referee.answers.abandon(ticket)
            apply(.cancelled(ticket))
        }
        if let delivery { apply(.data(delivery)) }
        if let deadline = core.nextDeadline, tickHold.delaying(deadline) <= time { apply(.tick) }
        let limit = time.advanced(by: .seconds(1))
        let next = core.nextDeadline.map { min(limit, max(time, tickHold.delaying($0))) } ?? limit
        tickHold.sleep(until: next)
        let hasMore = !self.mail.isEmpty || !deliveries.isEmpty
        wake(at: hasMore ? world.now : machine.clock.instant(of: next))
    }

    private func handle(_ mail: Mail) {
        switch mail {
        case .control(let envelope, let connection): apply(.control(envelope, from: connection))
        case .closed(let connection): apply(.closed(connection.node, connection))
        case .submission(let ticket, let work):
            sinks.insert(ticket)
            apply(.submitted(ticket, work))
        case .operation(let operation, let fault):
            guard core.refusal(of: operation, at: time) == nil else { return }
            if let fault { world.network.struck.count(fault) }
            apply(.operation(operation))
        }
    }

    private func apply(_ event: Core.Event) {
        let tampered = tampering?.event(event, epoch(toTake: event)) ?? event
        let result = Self.result(in: event)
        let isStale = result.map { core.servingReplica(of: $0) == nil } ?? false
        let staleCount = staleDropCount
        core.run(tampered, at: { self.time }) { effect in
            if let result, isStale { world.referee.noteConsequence(effect, ofResultIn: result, at: world.now) }
            guard let tampering else { return perform(effect) }
            for effect in tampering.effect(effect) {
                if let event = perform(effect) { return event }
            }
            return nil
        }
        checkMemory()
        if let result, isStale, staleDropCount != staleCount + 1 {
            world.referee.violate(
                .placements, "a result of epoch \(result.number), which is not served, was not dropped as such",
                at: world.now)
        }
    }

    /// What is kept never takes what is promised, and ends with its pipeline.
    private func checkMemory() {
        for scheduler in core.replicas.map(\.scheduler) {
            let count = scheduler.keptTokenCount + scheduler.reservedTokenCount
            let capacity = scheduler.isOpen ? scheduler.keyValueTokenCapacity : 0
            guard count > capacity else { continue }
            world.referee.violate(
                .memory,
                "\(scheduler.reservedTokenCount) KV tokens are reserved and \(scheduler.keptTokenCount) kept of \(capacity)",
                at: world.now)
        }
    }

    /// In which epoch a message would have to be for its sender to be listened to.
    private func epoch(toTake event: Core.Event) -> Epoch {
        guard case .data(let envelope) = event else { return core.epoch }
        let pipelines = core.replicas.compactMap(\.placement.pipeline)
        return pipelines.first { $0.answering == envelope.sender }?.epoch ?? core.epoch
    }

    /// Messages that were dropped as those of another placement.
    private var staleDropCount: UInt64 { core.drops.count(.olderEpoch) + core.drops.count(.unknownSender) }

    /// The epoch of a result; nil for other events.
    private static func result(in event: Core.Event) -> Epoch? {
        guard case .data(let envelope) = event, case .stepResult = envelope.body else { return nil }
        return envelope.epoch
    }

    private func perform(_ effect: Core.Effect) -> Core.Event? {
        let referee = world.referee
        switch effect {
        case .answer(let envelope, let connection): send(envelope, to: connection)
        case .connect(let peers, let kept): connect(to: peers, keeping: kept)
        case .sendStep(let envelope, let step, let nodes): return send(envelope, step, to: nodes)
        case .reused(let ticket, let tokenCount): referee.noteReused(ticket, tokenCount, at: world.now)
        case .token(let ticket, let choice): referee.noteToken(ticket, choice, at: world.now)
        case .finished(let ticket, let reason):
            sinks.remove(ticket)
            referee.noteFinished(ticket, reason, at: world.now)
        case .scored(let ticket, let text):
            sinks.remove(ticket)
            referee.noteScored(ticket, text, at: world.now)
        case .failed(let ticket, let error):
            sinks.remove(ticket)
            referee.noteFailed(ticket, error, at: world.now)
        case .notice(let notice):
            world.trace.note(.notice(notice), at: world.now)
            referee.note(notice, at: world.now)
        // Nobody asks for it here.
        case .shutDown: break
        }
        return nil
    }

    private func send(_ envelope: Envelope, to connection: SimulatedConnection) {
        let channel = world.network.channels[connection.channel]
        world.referee.noteAnswer(envelope, over: connection.channel, at: world.now)
        guard channel.state == .up else {
            mail.append(.closed(connection))
            return
        }
        do throws(WireError) { _ = try world.network.send(envelope, over: channel, .toClient) } catch {
            world.referee.violate(
                .limits, "the coordinator cannot send a control message: \(error)", at: world.now)
        }
    }

    private func connect(to peers: [Peer], keeping kept: [NodeID]) {
        for entrance in entrances where !kept.contains(entrance.node) { world.network.close(entrance.channel) }
        entrances.removeAll { !kept.contains($0.node) }
        entrances += peers.map { peer in
            let target = world.machines.firstIndex { $0.node == peer.node } ?? 0
            return (
                peer.node, world.network.open(.data, from: machine.index, to: target, at: peer.dataEndpoint)
            )
        }
    }

    private func send(_ envelope: Envelope, _ step: Step, to nodes: [NodeID]) -> Core.Event? {
        for node in nodes {
            let error: LinkError
            if let channel = entrances.first(where: { $0.node == node })?.channel {
                let start = max(world.now, busyUntil)
                do throws(WireError) {
                    if let end = try world.network.send(envelope, payload: nil, over: channel, from: start) {
                        busyUntil = end
                        continue
                    }
                    busyUntil = start.advanced(by: Network.sendTimeout)
                    error = .timedOut(node, afterMilliseconds: 500)
                } catch let problem {
                    error = .refused(problem.description)
                }
            } else {
                error = .notConnected(node)
            }
            return .stepNotSent(step.id, envelope.epoch, to: node, error)
        }
        return nil
    }
}

/// Breaks the coordinator on purpose, to see that those who watch see it.
package struct Tampering: Sendable {
    package typealias Core = CoordinatorCore<SimulatedConnection>

    /// What the core is told instead of an event; it also gets the epoch of the placement in which the sender is.
    package var event: @Sendable (Core.Event, Epoch) -> Core.Event
    /// What is done instead of an effect.
    package var effect: @Sendable (Core.Effect) -> [Core.Effect]

    package init(
        event: @escaping @Sendable (Core.Event, Epoch) -> Core.Event = { event, _ in event },
        effect: @escaping @Sendable (Core.Effect) -> [Core.Effect] = { [$0] }
    ) {
        self.event = event
        self.effect = effect
    }
}
