import ClusterCore
import Transport
import WorkerRuntime

/// A cluster that runs in virtual time, from one seed: the same seed gives the same run, always.
///
/// Faults strike for a while; then they stop, everything is started that is not running, and the cluster has to recover
/// within `recoveryLimit`.
public final class SimulatedCluster {
    /// How long after the end of faults every request must have ended, and one more have been answered in full. A worker
    /// is set aside for a minute at the longest, and before that a step may be given up and a part be loaded in vain.
    public static let recoveryLimit: Duration = .seconds(150)

    let world: World
    private let tampering: Tampering?
    private var coordinator: CoordinatorProcess?
    /// By machine; that of the coordinator has none.
    private var workers: [WorkerProcess?]
    private var disturbances: Disturbances
    private var isCalm = false
    /// By number of planned request.
    private var tickets: [Ticket?]
    /// What was asked for after the end of faults, to see that it is answered.
    private var lastTicket: Ticket?
    private var isOver = false

    /// - Parameter workerCount: nil leaves it to the seed.
    public convenience init(seed: UInt64, workerCount: Int? = nil, faults: Faults = .all) {
        self.init(seed: seed, workerCount: workerCount, faults: faults, tampering: nil)
    }

    package init(seed: UInt64, workerCount: Int? = nil, faults: Faults = .all, tampering: Tampering?) {
        let plan = ClusterPlan(seed: seed, workerCount: workerCount, faults: faults)
        world = World(plan: plan)
        self.tampering = tampering
        workers = world.machines.map { _ in nil }
        tickets = plan.requests.map { _ in nil }
        disturbances = Disturbances(seed: seed, faults: plan.faults)
    }

    /// What the seed makes of the cluster, in a line.
    public var summary: String { world.plan.summary }

    /// Runs to the end, or to the first rule that is broken.
    ///
    /// - Parameter listener: gets every event as a line.
    public func run(listener: ((String) -> Void)? = nil) -> SimulationReport {
        world.trace.listener = listener
        world.workerEnded = { [unowned self] machine, ending in workerEnded(machine, ending) }
        schedule()
        while !isOver, world.referee.violation == nil, let occurrence = world.timeline.next() { handle(occurrence) }
        return report
    }

    private func schedule() {
        let plan = world.plan
        let timeline = world.timeline
        for machine in world.machines {
            timeline.schedule(
                .start(machine: machine.index), after: machine.index == 0 ? .zero : world.duration(.zero, .seconds(1)))
        }
        for (number, request) in plan.requests.enumerated() {
            timeline.schedule(.submission(request: number), at: request.submittedAt)
            if let time = request.cancelledAt { timeline.schedule(.cancellation(request: number), at: time) }
        }
        timeline.schedule(.second, after: .seconds(1))
        timeline.schedule(.calm, at: plan.calmAt)
    }

    private func handle(_ occurrence: Occurrence) {
        switch occurrence {
        case .start(let machine): start(world.machines[machine])
        case .turn(.control, 0, let process):
            if let coordinator, coordinator.number == process { coordinator.takeTurn() }
        case .turn(let thread, let machine, let process):
            guard let worker = workers[machine], worker.number == process else { return }
            switch thread {
            case .control: worker.takeTurn()
            case .compute: worker.compute?.takeTurn()
            }
        case .arrival(let channel, let direction):
            if let arrival = world.network.arrive(channel, direction) { deliver(arrival) }
        case .connecting(let channel): world.network.tryConnecting(channel)
        case .silence(let channel, let connection): world.network.noticeSilence(channel, connection: connection)
        case .submission(let number): submit(number)
        case .cancellation(let number): cancel(number)
        case .resumption(let machine): resume(world.machines[machine])
        case .second:
            guard !isCalm else { return }
            disturb()
            world.timeline.schedule(.second, after: .seconds(1))
        case .calm: calm()
        case .inspection: inspect()
        }
    }

    private func deliver(_ arrival: Network.Arrival) {
        switch arrival {
        case .message(let envelope, _, let channel, 0): coordinator?.take(envelope, from: channel)
        case .message(let envelope, let payload, let channel, let machine):
            switch channel.plane {
            case .control: workers[machine]?.take(envelope, from: channel)
            case .data: workers[machine]?.compute?.take(envelope, payload)
            }
        case .malformed(_, 0): break
        case .malformed(_, let machine): workers[machine]?.drop(.malformed)
        }
    }
}

// MARK: Processes

extension SimulatedCluster {
    private func start(_ machine: Machine) {
        guard !machine.isRunning else { return }
        if machine.isDark {
            machine.isDark = false
            world.network.forget(machine.index)
        }
        machine.processCount += 1
        machine.isRunning = true
        guard machine.index == 0 else {
            workers[machine.index] = WorkerProcess(machine, in: world)
            return
        }
        do throws(PlanningError) {
            coordinator = try CoordinatorProcess(machine, in: world, tampering: tampering)
        } catch {
            world.referee.violate(.placements, "the coordinator does not start: \(error)", at: world.now)
        }
    }

    /// A process ends without a word; its machine closes its connections.
    private func crash(_ machine: Machine) {
        if machine.index == 0 {
            coordinator?.close()
            coordinator = nil
            world.referee.noteCoordinatorEnded()
            for ticket in world.referee.answers.open { world.referee.answers.abandon(ticket) }
        } else {
            workers[machine.index]?.close()
            workers[machine.index] = nil
        }
        machine.frozenUntil = world.now
    }

    /// A worker's process has ended by itself; whoever watches over it starts it anew.
    private func workerEnded(_ machine: Machine, _ ending: ControlSession.Ending) {
        world.trace.note(.note("\(machine.node) ended: \(ending)"), at: world.now)
        workers[machine.index] = nil
        world.timeline.schedule(.start(machine: machine.index), after: world.duration(.seconds(1), .seconds(4)))
    }
}

// MARK: Requests

extension SimulatedCluster {
    private func submit(_ number: Int) {
        let work = world.plan.requests[number].work
        let ticket = world.referee.answers.submit(work)
        tickets[number] = ticket
        hand(ticket, work)
    }

    private func hand(_ ticket: Ticket, _ work: Work) {
        guard let coordinator else {
            world.referee.answers.abandon(ticket)
            return
        }
        coordinator.submit(ticket, work)
    }

    private func cancel(_ number: Int) {
        guard let ticket = tickets[number], world.referee.answers.ending(of: ticket) == nil else { return }
        coordinator?.cancel(ticket)
    }
}

// MARK: Faults

extension SimulatedCluster {
    private func disturb() {
        for disturbance in disturbances.next(machineCount: world.machines.count) { begin(disturbance) }
    }

    private func begin(_ disturbance: Disturbance) {
        let network = world.network
        let machine = world.machines[disturbance.machine]
        let end = world.now.advanced(by: disturbance.length)
        switch disturbance.fault {
        case .partition:
            for one in disturbance.side {
                for other in world.machines.indices where !disturbance.side.contains(other) {
                    network.block(one, other, until: end)
                    network.block(other, one, until: end)
                }
            }
        case .onewayPartition: network.block(disturbance.machine, disturbance.other, until: end)
        case .reordering: network.lag(disturbance.machine, disturbance.other, by: disturbance.amount, until: end)
        case .fullQueue: network.jam(disturbance.machine, disturbance.other, until: end)
        case .slowness:
            machine.slowness = disturbance.factor
            machine.slowUntil = end
        case .freeze, .coordinatorFreeze:
            guard machine.isRunning else { return }
            machine.frozenUntil = max(machine.frozenUntil, end)
            network.freeze(machine.index, until: end)
        case .crash, .coordinatorCrash:
            guard machine.isRunning else { return }
            crash(machine)
            world.timeline.schedule(.start(machine: machine.index), at: end)
        case .powerLoss:
            guard machine.isRunning else { return }
            machine.isDark = true
            network.silence(of: machine.index)
            workers[machine.index] = nil
            machine.isRunning = false
            world.timeline.schedule(.start(machine: machine.index), at: end)
        case .leave: workers[machine.index]?.stop()
        case .drain, .forcedDrain:
            // Counted when it is not refused.
            coordinator?.operate(
                .drain(machine.node, isForced: disturbance.fault == .forcedDrain), as: disturbance.fault)
            world.timeline.schedule(.resumption(machine: machine.index), at: end)
            world.trace.note(.fault(disturbance.fault, machine.index, nil), at: world.now)
            return
        case .delay, .loss, .disconnection, .corruption, .loadingFailure, .stepFailure, .clockSkew: return
        }
        network.struck.count(disturbance.fault)
        world.trace.note(.fault(disturbance.fault, disturbance.machine, disturbance.other), at: world.now)
    }

    /// The operator does not give up before the coordinator is there.
    private func resume(_ machine: Machine) {
        guard let coordinator else {
            world.timeline.schedule(.resumption(machine: machine.index), after: .seconds(1))
            return
        }
        coordinator.operate(.resume(machine.node), as: nil)
    }

    /// Faults stop, what is not running is started, and what is drained is resumed.
    private func calm() {
        isCalm = true
        world.trace.note(.note("faults stop"), at: world.now)
        world.faults = .none
        world.network.faults = .none
        world.network.heal()
        for machine in world.machines {
            machine.slowUntil = min(machine.slowUntil, world.now)
            machine.frozenUntil = min(machine.frozenUntil, world.now)
            world.timeline.schedule(.start(machine: machine.index), after: world.duration(.zero, .seconds(2)))
            workers[machine.index]?.thaw()
            // The coordinator is there by then, and stays.
            if machine.index > 0 { world.timeline.schedule(.resumption(machine: machine.index), after: .seconds(3)) }
        }
        coordinator?.wake()
        world.timeline.schedule(.inspection, after: .seconds(3))
    }
}

// MARK: The end

extension SimulatedCluster {
    /// Looks whether everything is as it has to be some time after faults have stopped.
    private func inspect() {
        let referee = world.referee
        askOnceMore()
        let isAnswered = lastTicket.map { referee.answers.ending(of: $0) == .complete } ?? false
        let problem = isAnswered ? remains : nil
        if isAnswered, referee.answers.open.isEmpty, problem == nil {
            isOver = true
            return
        }
        guard world.plan.calmAt.duration(to: world.now) < Self.recoveryLimit else {
            if let open = referee.answers.open.first, open != lastTicket {
                referee.violate(.ends, "request \(open.number) has not ended", at: world.now)
            } else if let problem {
                referee.violate(.memory, problem, at: world.now)
            } else {
                let reason = coordinator?.core.readiness(at: world.machines[0].clock.reading(at: world.now)).reason
                referee.violate(.service, "no request was answered: \(reason ?? "no coordinator")", at: world.now)
            }
            return
        }
        world.timeline.schedule(.inspection, after: .milliseconds(500))
    }

    /// Asks for something, until it is answered.
    private func askOnceMore() {
        guard let coordinator, coordinator.core.isServing else { return }
        if let lastTicket {
            guard case .failed(let error) = world.referee.answers.ending(of: lastTicket) else { return }
            guard error.isRetryable else {
                return world.referee.violate(.service, "a request failed without faults: \(error)", at: world.now)
            }
        }
        let work = PlannedRequest.last(contextLength: coordinator.core.configuration.scheduler.contextLength)
        let ticket = world.referee.answers.submit(work)
        lastTicket = ticket
        hand(ticket, work)
    }

    /// What is held although nothing is asked for, and is not kept for later requests; nil if that is nothing.
    private var remains: String? {
        guard let core = coordinator?.core else { return "there is no coordinator" }
        guard core.isServing else { return "nothing is placed" }
        if let node = core.drained.first { return "\(node) is still drained" }
        for (index, replica) in core.replicas.enumerated() {
            if let remains = remains(of: replica) { return "replica \(index): \(remains)" }
        }
        return nil
    }

    private func remains(of replica: Replica) -> String? {
        let scheduler = replica.scheduler
        if scheduler.openRequestCount > 0 { return "\(scheduler.openRequestCount) requests are open in the scheduler" }
        if scheduler.reservedTokenCount > 0 { return "\(scheduler.reservedTokenCount) KV tokens are reserved" }
        if scheduler.inFlightStepCount > 0 { return "\(scheduler.inFlightStepCount) steps are in flight" }
        guard let pipeline = replica.placement.pipeline, replica.placement.isServing else { return nil }
        for node in pipeline.nodes {
            guard let machine = world.machines.first(where: { $0.node == node }), let worker = workers[machine.index],
                let stage = worker.compute?.stage
            else { return "\(node) has no stage" }
            // Besides what is kept of requests that have ended.
            if stage.keyValueTokenCount != scheduler.keptTokenCount
                || stage.heldSequenceCount != scheduler.keptSequenceCount
            {
                return
                    "\(node) holds \(stage.keyValueTokenCount) KV tokens of \(stage.heldSequenceCount) sequences, but "
                    + "\(scheduler.keptTokenCount) of \(scheduler.keptSequenceCount) are kept"
            }
            if !worker.unsent.isEmpty { return "\(node) has \(worker.unsent.count) reports that it could not send" }
        }
        return coldSpare(of: replica.placement)
    }

    /// A spare that is to have something ready and has not.
    private func coldSpare(of placement: Placement) -> String? {
        guard placement.configuration.keepsSparesWarm else { return nil }
        let cold = world.machines.first { machine in
            placement.isSpare(machine.node) && placement.standby(of: machine.node)?.isWarm != true
        }
        return cold.map { "\($0.node) is a spare, but not warm" }
    }

    private var report: SimulationReport {
        let answers = world.referee.answers
        return SimulationReport(
            seed: world.plan.seed, faults: world.network.struck,
            virtualSeconds: Double(world.now.nanoseconds) / 1e9,
            recoverySeconds: isOver ? world.plan.calmAt.duration(to: world.now).secondCount : nil,
            messageCount: world.network.messageCount, tokenCount: answers.tokenCount,
            reusedTokenCount: answers.reusedTokenCount,
            completeCount: answers.count { $0 == .complete },
            failedCount: answers.count { if case .failed = $0 { true } else { false } },
            abandonedCount: answers.count { $0 == .abandoned },
            epochCount: world.referee.placements.openedCount, digest: world.trace.digest,
            violation: world.referee.violation, lastEvents: world.referee.violation == nil ? [] : world.trace.lines)
    }
}
