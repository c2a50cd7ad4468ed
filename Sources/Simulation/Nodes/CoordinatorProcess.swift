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
        /// A client's request, for the first time or again.
        case request(ClientConnection, isResumed: Bool)
        case operation(ClusterOperation, Fault?)
    }

    let world: World
    let machine: Machine
    let number: Int
    private(set) var core: Core
    private let tampering: Tampering?
    private var tickHold: TickHold
    private var mail: [Mail] = []
    private var departed: [ClientConnection] = []
    private var deliveries = Deque<Envelope>()
    private var desk: RequestDesk<ClientConnection>
    /// Nil if there is no journal.
    private let disk: ProcessDisk?
    /// Of clients whose requests it has been given.
    private var connections: [ClientConnection] = []
    /// The ids of streamed requests.
    private var streamed: [Ticket: String] = [:]
    private var lastTicket: UInt64 = 0
    /// The ranks of the first stages, to which there are links.
    private var entrances: [(node: NodeID, channel: Channel)] = []
    private var turn = Turn()
    /// How far its thread has got, which waits to send.
    private var busyUntil = Instant.zero

    /// Why it does not start.
    struct Problem: Error {
        var rule: Rule
        var detail: String
    }

    init(_ machine: Machine, in world: World, tampering: Tampering?) throws(Problem) {
        self.world = world
        self.machine = machine
        self.tampering = tampering
        number = machine.processCount
        let milliseconds = { ClusterPlan.calendarMilliseconds(of: machine, at: world.now) }
        disk = world.plan.journalLimits.map { _ in
            ProcessDisk(world.disk, tampering: tampering) { (world.now, Int(milliseconds() / 1000)) }
        }
        do throws(JournalProblem) {
            let journal = try RequestJournal(
                storage: disk, model: "simulated", limits: world.plan.journalLimits ?? .init(),
                clockEpoch: Epoch(milliseconds()), now: { Int(milliseconds() / 1000) })
            desk = RequestDesk(journal: journal)
        } catch { throw Problem(rule: .journal, detail: error.description) }
        let configuration = world.plan.coordination(
            firstEpoch: desk.journal.firstEpoch, drained: desk.journal.drained)
        do throws(PlanningError) { core = try Core(configuration: configuration) } catch {
            throw Problem(rule: .placements, detail: "\(error)")
        }
        tickHold = TickHold(length: core.configuration.heartbeatInterval * 2)
        world.network.listen(at: ClusterPlan.controlEndpoint, machine: machine.index)
        world.network.listen(at: ClusterPlan.dataEndpoint, machine: machine.index)
        disk?.died = { [unowned self] in fallSilent() }
        restore()
        wake()
    }

    /// Whether it has ended in the middle of a turn: nothing of what it does any more has an effect.
    private var isDead: Bool { disk?.isDead ?? false }

    /// Has it end when it has written something to its journal so many times, or not by that.
    ///
    /// - Returns: false if it has no journal.
    func end(afterWrites count: Int?) -> Bool {
        disk?.writesLeft = count
        return disk != nil
    }

    private func restore() {
        let restored = desk.restore()
        world.referee.noteStarted(
            restored.map { ($0.request.id, $0.committed.count) }, drained: desk.journal.drained, at: world.now)
        for entry in restored {
            streamed[entry.ticket] = entry.request.id
            apply(.restored(entry.ticket, .generation(entry.request), committed: entry.committed))
        }
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

    /// A client asks for something, or reads on.
    func serve(_ connection: ClientConnection, isResumed: Bool) {
        connections.append(connection)
        mail.append(.request(connection, isResumed: isResumed))
        wake()
    }

    /// - Parameter fault: what is counted if it is not refused.
    func operate(_ operation: ClusterOperation, as fault: Fault?) {
        mail.append(.operation(operation, fault))
        wake()
    }

    /// A client's connection is gone.
    func lose(_ connection: ClientConnection) {
        departed.append(connection)
        wake()
    }

    /// Nobody hears of it any more.
    func fallSilent() {
        for connection in connections { connection.isOpen = false }
    }

    /// Closes all that it has open, as the system does when a process has ended.
    func close() {
        machine.isRunning = false
        fallSilent()
        for entrance in entrances { world.network.close(entrance.channel) }
        world.network.stopListening(at: ClusterPlan.controlEndpoint)
        world.network.stopListening(at: ClusterPlan.dataEndpoint)
    }

    func takeTurn() {
        guard turn.begin(.control, of: machine, process: number, on: world.timeline) else { return }
        tickHold.wake(at: time)
        let (mail, departed) = (mail, departed)
        (self.mail, self.departed) = ([], [])
        let delivery = deliveries.popFirst()
        for mail in mail { handle(mail) }
        for connection in departed {
            guard !isDead, let ticket = connection.ticket, desk.leave(ticket, by: ObjectIdentifier(connection)) else {
                continue
            }
            end(ticket)
            apply(.cancelled(ticket))
        }
        if let delivery { apply(.data(delivery)) }
        if let deadline = core.nextDeadline, tickHold.delaying(deadline) <= time { apply(.tick) }
        guard !isDead else {
            world.coordinatorEnded?()
            return
        }
        let limit = time.advanced(by: .seconds(1))
        let next = core.nextDeadline.map { min(limit, max(time, tickHold.delaying($0))) } ?? limit
        tickHold.sleep(until: next)
        let hasMore = !self.mail.isEmpty || !deliveries.isEmpty
        wake(at: hasMore ? world.now : machine.clock.instant(of: next))
    }

    private func handle(_ mail: Mail) {
        guard !isDead else { return }
        switch mail {
        case .control(let envelope, let connection): apply(.control(envelope, from: connection))
        case .closed(let connection): apply(.closed(connection.node, connection))
        case .request(let connection, let isResumed): take(connection, isResumed: isResumed)
        case .operation(let operation, let fault):
            guard core.refusal(of: operation, at: time) == nil else { return }
            if let fault { world.network.struck.count(fault) }
            apply(.operation(operation))
            desk.noteDrained(by: core)
            if !isDead { world.referee.journal.drained(core.drained) }
        }
    }

    private func take(_ connection: ClientConnection, isResumed: Bool) {
        let client = connection.client
        lastTicket += 1
        let ticket = Ticket(lastTicket)
        connection.ticket = ticket
        guard client.isStreamed, case .generation(let request) = client.work else {
            desk.submit(ticket, connection)
            return apply(.submitted(ticket, client.work), refusing: (ticket, connection))
        }
        let stream = String(request.id.prefix { $0 != "-" })
        if isResumed {
            let isFound = desk.stream(stream) != nil
            world.referee.violate(
                .journal, at: world.now, if: world.referee.journal.looked(for: request.id, isFound: isFound))
            if connection.isOpen {
                if isFound {
                    world.referee.answers.readAgain(client.request)
                } else {
                    world.referee.answers.abandon(client.request)
                }
            }
            guard isFound else { return }
        } else {
            desk.keep(KeptStream(id: stream, description: ""))
        }
        let reading = desk.read(request, ticket, connection)
        guard !isDead else { return }
        let problem = world.referee.journal.read(
            request.id, tokenCount: world.referee.answers.tokenCount(of: client.request),
            known: connection.sentCount)
        world.referee.violate(.journal, at: world.now, if: problem)
        switch reading {
        case .known(let ticket): connection.ticket = ticket
        case .begun(let committed):
            streamed[ticket] = request.id
            apply(.submitted(ticket, client.work, committed: committed), refusing: (ticket, connection))
        }
    }

    /// A request has ended or was given up.
    private func end(_ ticket: Ticket) {
        guard let id = streamed.removeValue(forKey: ticket) else { return }
        if isDead { world.referee.journal.perhapsEnded(id) } else { world.referee.journal.ended(id) }
    }

    /// - Parameter submission: a request that the event hands in, and who waits for it to be let in.
    private func apply(_ event: Core.Event, refusing submission: (ticket: Ticket, by: ClientConnection)? = nil) {
        let tampered = tampering?.event(event, epoch(toTake: event)) ?? event
        let result = Self.result(in: event)
        let isStale = result.map { core.servingReplica(of: $0) == nil } ?? false
        let staleCount = staleDropCount
        core.run(tampered, at: { self.time }) { effect in
            if let result, isStale { world.referee.noteConsequence(effect, ofResultIn: result, at: world.now) }
            guard !isDead else { return nil }
            if let submission, case .failed(submission.ticket, let error) = effect {
                desk.refuse(submission.ticket)
                end(submission.ticket)
                submission.by.fail(error)
                return nil
            }
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
        case .token(let ticket, _):
            _ = desk.take(effect)
            if !isDead, let id = streamed[ticket] { referee.journal.token(of: id) }
        case .finished(let ticket, _), .failed(let ticket, _):
            _ = desk.take(effect)
            end(ticket)
        case .reused, .scored: _ = desk.take(effect)
        case .notice(let notice):
            desk.take(notice)
            guard !isDead else { break }
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
    /// Whether what is appended to the journal, length and checksum included, is really written.
    package var append: @Sendable ([UInt8]) -> Bool

    package init(
        event: @escaping @Sendable (Core.Event, Epoch) -> Core.Event = { event, _ in event },
        effect: @escaping @Sendable (Core.Effect) -> [Core.Effect] = { [$0] },
        append: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }
    ) {
        self.event = event
        self.effect = effect
        self.append = append
    }
}
