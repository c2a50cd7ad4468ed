import ClusterCore
import DequeModule
import Transport
import Wire
import WorkerRuntime

/// A worker's compute thread: does what `ComputeLoop` does, one turn after the other, with the same `StageDuty`.
final class ComputeThread {
    struct Assignment {
        var epoch: Epoch
        var stage: StageAssignment
        var results: Peer
    }

    /// What is to become of the part that is held. Of several orders only the last one counts.
    enum PartOrder {
        case assign(Assignment)
        /// To be loaded in advance; a failure is reported in this epoch.
        case keepReady(StageAssignment, Epoch)
        /// None is to be held.
        case release

        var assignment: StageAssignment? {
            switch self {
            case .assign(let assignment): assignment.stage
            case .keepReady(let assignment, _): assignment
            case .release: nil
            }
        }
    }

    struct Delivery {
        var envelope: Envelope
        var payload: [UInt64]?
    }

    /// The stage that is loaded, and the parts that other ranks have given for it.
    struct Loaded {
        var duty: StageDuty
        var stage: SimulatedStage
        /// By rank, in order.
        var parts: [[(exchange: Exchange, sums: [UInt64])]]
        var postedRoundCount: UInt32 = 0
        var finishedRoundCount: UInt32 = 0
    }

    enum Activity {
        case none
        case loading(PartOrder, kept: SimulatedStage?)
        case measuring(MeasurementOrder, Epoch)
        /// The rest of a step is computed, or of the layer that ranks combine next.
        case computing(SimulatedStage.Run)
        /// Waits for the other ranks' parts of a layer, until a time by the machine's clock.
        case awaitingParts(SimulatedStage.Run, until: Instant)
        /// Tells the control thread what came of a step.
        case reporting(WorkerFailure, Epoch)
    }

    unowned let process: WorkerProcess
    let world: World
    private var turn = Turn()
    var activity = Activity.none
    /// Until then, it computes, loads or waits to send.
    var busyUntil = Instant.zero
    var loaded: Loaded?
    /// What is loaded for a stage that it does not serve yet, or no more.
    private var ready: SimulatedStage?
    private(set) var computedTokenCount: UInt64 = 0
    private var part: PartOrder?
    private var orders: [(MeasurementOrder, Epoch)] = []
    private var deliveries = Deque<Delivery>()
    private var backlog = Deque<Delivery>()
    private(set) var links: [(node: NodeID, channel: Channel)] = []

    private static let orderLimit = 4
    private static let backlogLimit = 64

    init(_ process: WorkerProcess) {
        self.process = process
        world = process.world
        // Before anything else it says how fast it is.
        orders = [(MeasurementOrder(number: 0, task: .node), Epoch(0))]
        wake()
    }

    var machine: Machine { process.machine }
    /// What is loaded, whether or not it serves a stage.
    var stage: SimulatedStage? { loaded?.stage ?? ready }
    /// The `partDigest` of what is loaded; 0 if nothing is.
    private(set) var heldPart: UInt64 = 0
    var memoryByteCount: UInt64 { stage == nil ? 0 : ClusterPlan.stageByteCount }

    // MARK: What others want of it

    func wake() { wake(at: world.now) }

    func order(_ part: PartOrder) {
        self.part = part
        wake()
    }

    func order(_ order: MeasurementOrder, _ epoch: Epoch) {
        if orders.count >= Self.orderLimit { orders.removeFirst() }
        orders.append((order, epoch))
        wake()
    }

    func take(_ envelope: Envelope, _ payload: [UInt64]?) {
        deliveries.append(Delivery(envelope: envelope, payload: payload))
        wake()
    }

    func close() {
        for link in links { world.network.close(link.channel) }
        links = []
    }

    private func wake(at time: Instant) {
        turn.schedule(.compute, of: machine, process: process.number, at: time, on: world.timeline)
    }

    // MARK: Turns

    func takeTurn() {
        guard turn.begin(.compute, of: machine, process: process.number, on: world.timeline) else { return }
        while busyUntil <= world.now {
            guard goOn() else { return }
        }
        wake(at: busyUntil)
    }

    /// Does the next thing; false if there is nothing to do until somebody wakes it.
    private func goOn() -> Bool {
        switch activity {
        case .none: return begin()
        case .loading(let order, let kept): finishLoading(order, kept)
        case .measuring(let order, let epoch): finishMeasuring(order, epoch)
        case .computing(let run): goOn(with: run)
        case .awaitingParts(let run, let deadline): return waitForParts(run, until: deadline)
        case .reporting(let failure, let epoch):
            activity = .none
            process.post(.failure(failure, epoch))
        }
        return true
    }

    private func begin() -> Bool {
        if let order = part.take() {
            follow(order)
        } else if !orders.isEmpty {
            let (order, epoch) = orders.removeFirst()
            activity = .measuring(order, epoch)
            work(.milliseconds(20))
        } else if let delivery = backlog.popFirst() ?? deliveries.popFirst() {
            handle(delivery)
        } else {
            return false
        }
        return true
    }

    /// Is busy for so long, longer on a machine that is slow.
    func work(_ duration: Duration) {
        busyUntil = max(busyUntil, world.now).advanced(by: machine.time(duration, at: world.now))
    }

    /// Begins to load what is wanted, unless it is there; what is not wanted goes first.
    private func follow(_ order: PartOrder) {
        let kept = stage.flatMap { stage in
            order.assignment.flatMap { stage.assignment.needsSamePart(as: $0) ? stage : nil }
        }
        (loaded, ready, heldPart) = (nil, nil, 0)
        close()
        if case .release = order { return }
        if case .assign(let assignment) = order { connect(assignment) }
        activity = .loading(order, kept: kept)
        work(kept == nil ? world.duration(.milliseconds(20), .milliseconds(800)) : .milliseconds(1))
    }

    private func connect(_ assignment: Assignment) {
        let own = assignment.stage.rank
        let others = assignment.stage.ranks.indices.filter { $0 != own }.map { assignment.stage.ranks[$0].peer }
        links = (assignment.stage.successors(results: assignment.results) + others).map { peer in
            let target = world.machines.firstIndex { $0.node == peer.node } ?? 0
            let channel = world.network.open(.data, from: machine.index, to: target, at: peer.dataEndpoint)
            return (peer.node, channel)
        }
    }

    private func finishLoading(_ order: PartOrder, _ kept: SimulatedStage?) {
        activity = .none
        guard let assignment = order.assignment else { return }
        if kept == nil, world.strikes(.loadingFailure, on: machine) {
            // Whoever has given a newer order waits for this one no more.
            guard !hasNews else { return }
            let failure = WorkerFailure(kind: .loading, message: "the file could not be read", isRetryable: true)
            switch order {
            case .assign(let assignment): process.post(.failure(failure, assignment.epoch))
            case .keepReady(_, let epoch): process.post(.failure(failure, epoch))
            case .release: break
            }
            return
        }
        var stage = kept ?? SimulatedStage(assignment, world.model)
        stage.reset(joining: assignment)
        heldPart = assignment.partDigest
        guard case .assign(let assigned) = order else {
            ready = stage
            return
        }
        loaded = Loaded(
            duty: StageDuty(
                epoch: assigned.epoch, assignment: assignment, results: assigned.results,
                hiddenSize: HashModel.hiddenSize),
            stage: stage, parts: assignment.ranks.map { _ in [] })
        let ready = StageReady(
            weightsByteCount: ClusterPlan.stageByteCount, keyValueTokenCapacity: stage.keyValueTokenCapacity)
        process.post(.ready(ready, assigned.epoch))
    }

    private func finishMeasuring(_ order: MeasurementOrder, _ epoch: Epoch) {
        activity = .none
        let result: MeasurementReport.Result =
            switch order.task {
            case .node: .node(world.plan.speeds.rates(of: machine.index))
            case .link(let peer):
                .link(
                    world.plan.speeds.link(
                        machine.index, world.machines.firstIndex { $0.node == peer.node } ?? 0), to: peer.node)
            case .answering: .answering
            }
        process.post(.measured(MeasurementReport(number: order.number, result: result), epoch))
    }

    /// Counts rows that have been computed and passed on.
    func noteComputed(_ rowCount: Int) { computedTokenCount += UInt64(rowCount) }

    /// Whether the stage that is computed is no longer wanted.
    private var hasNews: Bool { part != nil }

    /// Waits for the parts of the other ranks; false while there is nothing to do but wait.
    private func waitForParts(_ run: SimulatedStage.Run, until deadline: Instant) -> Bool {
        while let delivery = deliveries.popFirst() {
            if case .exchange(let exchange) = delivery.envelope.body {
                takePart(exchange, delivery)
            } else if backlog.count < Self.backlogLimit {
                backlog.append(delivery)
            } else {
                process.drop(.queueFull)
            }
        }
        guard let missing = missingRank else {
            addParts(run)
            return true
        }
        if hasNews {
            lose(run.step, rank: missing, "has not given its part before the stage was given up")
            return true
        }
        guard deadline > machine.clock.reading(at: world.now) else {
            lose(run.step, rank: missing, "has not given its part in time")
            return true
        }
        wake(at: machine.clock.instant(of: deadline))
        return false
    }
}
