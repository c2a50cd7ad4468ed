import ClusterCore
import Transport
import WorkerRuntime

/// What the processes of a simulated cluster share: time, network, machines, and those that watch over them.
final class World {
    let plan: ClusterPlan
    let timeline: Timeline
    let machines: [Machine]
    let network: Network
    let trace: Trace
    let referee: Referee
    let model: HashModel
    /// What may go wrong inside processes.
    var faults: Faults
    private var random: RandomStream
    /// Told when a worker's process has ended by itself.
    var workerEnded: ((Machine, ControlSession.Ending) -> Void)?
    /// Told when the coordinator's process has ended in the middle of a turn.
    var coordinatorEnded: (() -> Void)?
    /// Of the coordinator's machine.
    let disk = SimulatedDisk()

    init(plan: ClusterPlan) {
        self.plan = plan
        timeline = Timeline()
        machines = plan.machines()
        trace = Trace(names: machines.map(\.node.name))
        network = Network(
            timeline: timeline, machines: machines, faults: plan.faults,
            random: RandomStream(seed: plan.seed, .network), trace: trace)
        model = plan.model
        referee = Referee(plan: plan, trace: trace)
        faults = plan.faults
        random = RandomStream(seed: plan.seed, .computing)
    }

    var now: Instant { timeline.now }

    /// Whether a fault strikes here and now.
    func strikes(_ fault: Fault, on machine: Machine) -> Bool {
        guard faults[fault] > 0, random.happens(faults[fault]) else { return false }
        network.struck.count(fault)
        trace.note(.fault(fault, machine.index, nil), at: now)
        return true
    }

    func duration(_ least: Duration, _ most: Duration) -> Duration { random.duration(least, most) }
}

/// When a thread has its next turn.
struct Turn {
    private var at: Instant?

    /// Gives it a turn at a time, unless it has one before.
    mutating func schedule(
        _ thread: ThreadName, of machine: Machine, process: Int, at time: Instant, on timeline: Timeline
    ) {
        let time = max(time, timeline.now, machine.frozenUntil)
        if let at, at <= time { return }
        at = time
        timeline.schedule(.turn(thread, machine: machine.index, process: process), at: time)
    }

    /// Whether it is its turn now. A thread that stands still has it when it goes on.
    mutating func begin(
        _ thread: ThreadName, of machine: Machine, process: Int, on timeline: Timeline
    ) -> Bool {
        guard at == timeline.now else { return false }
        at = nil
        guard machine.frozenUntil > timeline.now else { return true }
        schedule(thread, of: machine, process: process, at: machine.frozenUntil, on: timeline)
        return false
    }
}
