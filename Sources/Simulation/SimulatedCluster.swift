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
    var coordinator: CoordinatorProcess?
    /// By machine; that of the coordinator has none.
    var workers: [WorkerProcess?]
    var disturbances: Disturbances
    var isCalm = false
    /// By number of planned request, those that have come.
    var clients: [SimulatedClient?]
    /// Who asks for something after the end of faults, to see that it is answered.
    var lastClient: SimulatedClient?
    var random: RandomStream
    /// How long after its end in the middle of a turn the coordinator's process is started anew.
    var restartDelay = Duration.zero
    var isOver = false

    /// - Parameter workerCount: nil leaves it to the seed.
    public convenience init(seed: UInt64, workerCount: Int? = nil, faults: Faults = .all) {
        self.init(seed: seed, workerCount: workerCount, faults: faults, tampering: nil)
    }

    package init(seed: UInt64, workerCount: Int? = nil, faults: Faults = .all, tampering: Tampering?) {
        let plan = ClusterPlan(seed: seed, workerCount: workerCount, faults: faults)
        world = World(plan: plan)
        self.tampering = tampering
        workers = world.machines.map { _ in nil }
        clients = plan.requests.map { _ in nil }
        random = RandomStream(seed: seed, .clients)
        disturbances = Disturbances(seed: seed, faults: plan.faults)
    }

    /// What the seed makes of the cluster, in a line.
    public var summary: String { world.plan.summary }

    /// Runs to the end, or to the first rule that is broken.
    ///
    /// - Parameter listener: gets every event as a line.
    public func run(listener: ((String) -> Void)? = nil) -> SimulationReport {
        world.trace.listener = listener
        world.coordinatorEnded = { [unowned self] in coordinatorEnded() }
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
        case .reconnection(let number): reconnect(number)
        case .absence(let number): noticeAbsence(number)
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
    func start(_ machine: Machine) {
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
        if machine.processCount > 1, random.happens(0.3), world.plan.setsClockBack {
            machine.setBackSeconds += random.number(in: 1...3600)
        }
        do throws(CoordinatorProcess.Problem) {
            coordinator = try CoordinatorProcess(machine, in: world, tampering: tampering)
        } catch {
            world.referee.violate(error.rule, "the coordinator does not start: \(error.detail)", at: world.now)
        }
    }

    /// A process ends without a word; its machine closes its connections.
    func crash(_ machine: Machine) {
        if machine.index == 0 {
            coordinator?.close()
            loseCoordinator()
        } else {
            workers[machine.index]?.close()
            workers[machine.index] = nil
        }
        machine.frozenUntil = world.now
    }

    /// The coordinator's process ends in the middle of a turn, as it was to.
    private func coordinatorEnded() {
        let machine = world.machines[0]
        world.network.struck.count(.coordinatorCrash)
        world.trace.note(.fault(.coordinatorCrash, machine.index, nil), at: world.now)
        crash(machine)
        world.timeline.schedule(.start(machine: machine.index), after: restartDelay)
    }

    /// The coordinator's process is gone, and its clients' connections with it.
    func loseCoordinator() {
        coordinator = nil
        world.referee.noteCoordinatorEnded()
        loseConnections()
    }

    /// A worker's process has ended by itself; whoever watches over it starts it anew.
    private func workerEnded(_ machine: Machine, _ ending: ControlSession.Ending) {
        world.trace.note(.note("\(machine.node) ended: \(ending)"), at: world.now)
        workers[machine.index] = nil
        world.timeline.schedule(.start(machine: machine.index), after: world.duration(.seconds(1), .seconds(4)))
    }
}
