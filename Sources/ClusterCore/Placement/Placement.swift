import Transport

/// Who holds which part of the model, and since when it serves: waiting → loading → serving, and back when a worker goes.
///
/// When enough workers are there, it opens an epoch and assigns parts; when all have loaded theirs, it serves. A worker
/// that goes ends the epoch, and the next one is opened as soon as there are enough workers again: a spare takes the
/// place of the one that went. Without a spare, and unless the operator has fixed the stages, those that are left take
/// over after a short wait. A worker that fails to load is set aside for a while that doubles with each failure, or,
/// when doing it again cannot help, until its process is started anew.
public struct Placement: Sendable {
    public let configuration: PlacementConfiguration
    var state = State.waiting(reducibleFrom: nil)
    private var nextEpoch: UInt64
    /// In order of joining, those last that have failed since.
    var workers: [Worker] = []
    /// Those of the newest epoch, in order of stages and ranks.
    private(set) var lastNodes: [NodeID] = []
    private(set) var lastStages: [PlacedPipeline.Stage] = []
    /// The `partDigest` of each of their places.
    private(set) var lastParts: [UInt64] = []
    private(set) var hasServed = false
    /// Nil where the operator has settled the shape.
    private(set) var planner: StagePlanner?
    /// Whether it has been waited long enough for workers that are missing, so that it is planned for those that are left.
    private var plansForFewer = false
    /// Names of workers that are to hold nothing, in order.
    public internal(set) var drained: [NodeID] = []
    /// How many workers could have a part when the pipeline was made for fewer than wanted; nil if it was not.
    var reducedTo: Int?
    /// Since when there are more workers than those for which the pipeline was made, while it was made for fewer than
    /// wanted; nil if there are not.
    public internal(set) var betterSince: Instant?
    /// Whether the newest pipeline was made without need, and does not serve yet: if it fails, nobody is waited for.
    var isMoving = false
    /// When those that load were last seen to come further with it.
    private var progressedAt: [NodeID: Instant] = [:]
    /// A drain that waits for a spare to load what it is to take over.
    var pendingDrain: PendingDrain?

    enum State: Sendable {
        /// When the model may be placed on fewer workers than wanted; nil: not before it has served.
        case waiting(reducibleFrom: Instant?)
        case loading(PlacedPipeline, ready: [NodeID: StageReady], since: Instant)
        case serving(PlacedPipeline)
        /// The cluster ends.
        case closed
    }

    struct Worker: Sendable {
        var peer: Peer
        /// Memory that a part of the model can take, its present one included; nil if that is not known.
        var availableByteCount: UInt64?
        var failureCount = 0
        var setAside: SetAside?
        /// The `partDigest` of what it says that it has loaded; 0 if nothing.
        var heldPart: UInt64 = 0
        /// What it is to have ready while it has no place; nil if nothing.
        var standby: Standby?
    }

    struct SetAside: Sendable {
        var reason: String
        /// Nil: until its process is started anew.
        var until: Instant?

        func isOver(at now: Instant) -> Bool { until.map { $0 <= now } ?? false }

        func remedy(at now: Instant) -> String {
            guard let until else { return "; remove the cause and start it again" }
            return "; next try in \(max(0, now.duration(to: until).wholeNanoseconds + 999_999_999) / 1_000_000_000) s"
        }
    }

    /// - Throws: `PlanningError` if what the configuration asks for does not fit the model.
    public init(configuration: PlacementConfiguration) throws(PlanningError) {
        self.configuration = configuration
        nextEpoch = configuration.firstEpoch.number
        drained = configuration.drained.sorted()
        planner = configuration.planning.map { StagePlanner($0) }
        _ = try configuration.split()
    }

    /// The current epoch's stages, from the moment they are assigned.
    public var pipeline: PlacedPipeline? {
        switch state {
        case .waiting, .closed: nil
        case .loading(let pipeline, _, _), .serving(let pipeline): pipeline
        }
    }

    /// Whether all ranks of all stages are ready.
    public var isServing: Bool {
        if case .serving = state { true } else { false }
    }

    /// Whether a worker has no place in the pipeline, and could take that of another.
    public func isSpare(_ node: NodeID) -> Bool {
        guard let pipeline, pipeline.place(of: node) == nil else { return false }
        return available.contains { $0.peer.node == node }
    }

    /// Whether a worker is to hold nothing until it is resumed.
    public func isDrained(_ node: NodeID) -> Bool { drained.contains(node) }

    /// The newest epoch that was opened; before the first, the one before it.
    public var epoch: Epoch { Epoch(nextEpoch == 0 ? 0 : nextEpoch - 1) }

    /// Opens no epoch up to that one: another placement of the cluster has.
    mutating func skip(_ epoch: Epoch) { nextEpoch = max(nextEpoch, epoch.number + 1) }

    /// How many expected workers are not there, or set aside.
    public var missingWorkerCount: Int {
        switch configuration.selection {
        case .count(let count): max(0, count - available.count)
        case .named(let named):
            named.count { wanted in !available.contains { $0.peer.node == wanted.node } }
        }
    }

    /// When a worker that failed is to load again, its part or what it is to have ready as a spare; nil if it did not, or will
    /// only do once it is started anew.
    public func retryTime(of node: NodeID) -> Instant? {
        guard let worker = workers.first(where: { $0.peer.node == node }) else { return nil }
        return (worker.setAside ?? worker.standby?.problem)?.until
    }

    /// Why it does not serve, or what is amiss although it does; nil if nothing is.
    public func problem(at now: Instant) -> String? {
        let failures = workers.compactMap { worker in
            worker.setAside.map { "worker \(worker.peer.node): \($0.reason)\($0.remedy(at: now))" }
        }
        if !failures.isEmpty { return failures.sorted().joined(separator: "; ") }
        if case .loading(let pipeline, let ready, _) = state {
            let loading = pipeline.nodes.filter { ready[$0] == nil }
            return "\(loading.map(\.name).joined(separator: ", ")) still loading"
        }
        if case .closed = state { return "the cluster is shutting down" }
        if let pendingDrain { return pendingDrain.text }
        let missing = missingWorkerCount
        guard missing > 0 else { return pipeline == nil ? planner?.problem : excess }
        let names = drained.map(\.name).joined(separator: ", ")
        return "waiting for \(missing) of \(configuration.selection.workerCount) workers"
            + (names.isEmpty ? "" : " (drained: \(names))") + (outlook(at: now) ?? "")
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        var deadlines = workers.compactMap { $0.setAside?.until }
        if planner != nil {
            if !plansForFewer, let reductionTime { deadlines.append(reductionTime) }
        } else if let reduction, reduction.shortage == nil {
            deadlines.append(reduction.from)
        }
        if case .loading(let pipeline, let ready, let since) = state {
            deadlines += pipeline.nodes.filter { ready[$0] == nil }.map { loadingDeadline(of: $0, since: since) }
        }
        deadlines += standbyDeadlines
        if let pendingDrain { deadlines.append(pendingDrain.until) }
        return deadlines.min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        var effects = decide(event, at: now)
        effects += proceedWithDrain(at: now)
        noteCandidates(at: now)
        return effects + prepareSpares(at: now)
    }

    private mutating func decide(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .joined(let peer, let heldPart):
            let effects = remove(peer.node, reason: "its process was started anew", at: now)
            workers.append(Worker(peer: peer, heldPart: heldPart))
            return effects + open(at: now)
        case .returned(let peer):
            orderStandbyAgain(of: peer.node, at: now)
            return reconnect(peer, at: now)
        case .gone(let node, let reason):
            return remove(node, reason: reason, at: now) + open(at: now)
        case .ready(let node, let epoch, let ready):
            return note(ready, of: node, in: epoch)
        case .loadingFailed(let node, let epoch, let message, let isRetryable):
            guard case .loading(let pipeline, _, _) = state, pipeline.epoch == epoch, pipeline.place(of: node) != nil
            else { return [] }
            return end(because: node, reason: message, at: now)
                + setAside(node, reason: message, isRetryable: isRetryable, at: now) + open(at: now)
        case .stalled(let node, let reason):
            let ended = end(because: node, reason: reason, at: now)
            guard !ended.isEmpty else { return [] }
            let aside = node.map { setAside($0, reason: reason, isRetryable: true, at: now) } ?? []
            return ended + aside + open(at: now)
        case .progressed(let node):
            if case .loading = state { progressedAt[node] = now }
            noteStandbyProgress(of: node, at: now)
            return []
        case .memory(let node, let availableByteCount):
            guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return [] }
            workers[index].availableByteCount = availableByteCount
            return open(at: now)
        case .holds(let node, let part):
            noteHeld(part, by: node, at: now)
            return []
        case .standbyFailed(let node, let message, let isRetryable):
            setStandbyProblem(message, isRetryable: isRetryable, of: node, at: now)
            return []
        case .measured(let measurements):
            return planner?.take(measurements) == true ? open(at: now) : []
        case .drained(let node, let isForced): return drain(node, isForced: isForced, at: now)
        case .resumed(let node): return resume(node, at: now)
        case .rebalance: return rebalance(at: now)
        case .continued:
            if case .waiting(nil) = state {
                hasServed = true
                state = .waiting(reducibleFrom: now.advanced(by: configuration.replanDelay))
            }
            return []
        case .closed: return close(at: now)
        case .tick:
            var effects = expire(at: now)
            for index in workers.indices where workers[index].setAside?.isOver(at: now) == true {
                workers[index].setAside = nil
                effects.append(.detail(workers[index].peer.node, ""))
            }
            return effects + open(at: now)
        }
    }
}

extension Placement {
    private mutating func remove(_ node: NodeID, reason: String, at now: Instant) -> [Effect] {
        guard workers.contains(where: { $0.peer.node == node }) else { return [] }
        workers.removeAll { $0.peer.node == node }
        guard pipeline?.place(of: node) != nil else { return [] }
        return end(because: node, reason: reason, at: now)
    }

    /// A stage that lost its connection while it was to load may have missed its assignment, or its answer was lost.
    /// A new epoch asks again; once it serves, nothing is missing.
    private mutating func reconnect(_ peer: Peer, at now: Instant) -> [Effect] {
        guard let index = workers.firstIndex(where: { $0.peer.node == peer.node }) else {
            workers.append(Worker(peer: peer))
            return open(at: now)
        }
        let moved = workers[index].peer != peer
        workers[index].peer = peer
        guard let place = pipeline?.place(of: peer.node) else { return [] }
        if case .loading(_, let ready, _) = state, ready[peer.node] == nil {
            return end(because: peer.node, reason: "it lost its connection while loading", at: now) + open(at: now)
        }
        guard moved else { return [] }
        let reason = "the data endpoint of stage \(place.stage) has changed"
        return end(because: peer.node, reason: reason, at: now) + open(at: now)
    }

    private mutating func note(_ ready: StageReady, of node: NodeID, in epoch: Epoch) -> [Effect] {
        guard case .loading(let pipeline, var answers, let since) = state, pipeline.epoch == epoch,
            pipeline.place(of: node) != nil
        else { return [] }
        answers[node] = ready
        var effects: [Effect] = []
        if let index = workers.firstIndex(where: { $0.peer.node == node }) {
            workers[index].failureCount = 0
            effects.append(.detail(node, ""))
        }
        let nodes = pipeline.nodes
        let capacities = nodes.compactMap { answers[$0]?.keyValueTokenCapacity }
        guard capacities.count == nodes.count, let capacity = capacities.min() else {
            state = .loading(pipeline, ready: answers, since: since)
            return effects
        }
        state = .serving(pipeline)
        hasServed = true
        isMoving = false
        return effects + [.serving(pipeline, keyValueTokenCapacity: capacity)]
    }

    mutating func end(
        because node: NodeID?, reason: String, isLoss: Bool = true, at now: Instant
    ) -> [Effect] {
        guard let pipeline else { return [] }
        let delay = isLoss && !isMoving ? configuration.replanDelay : .zero
        state = .waiting(reducibleFrom: hasServed ? now.advanced(by: delay) : nil)
        plansForFewer = false
        return [.ended(pipeline, node: node, reason: reason, isLoss: isLoss)]
    }

    private mutating func setAside(
        _ node: NodeID, reason: String, isRetryable: Bool, at now: Instant
    ) -> [Effect] {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return [] }
        workers[index].failureCount = min(workers[index].failureCount + 1, 6)
        let delay = Duration.seconds(min(60, 1 << workers[index].failureCount))
        workers[index].setAside = SetAside(reason: reason, until: isRetryable ? now.advanced(by: delay) : nil)
        workers.append(workers.remove(at: index))
        return [.detail(node, reason)]
    }

    /// Sets a worker aside that does not finish loading.
    private mutating func expire(at now: Instant) -> [Effect] {
        guard case .loading(let pipeline, let ready, let since) = state else { return [] }
        let late = pipeline.nodes.filter { ready[$0] == nil && loadingDeadline(of: $0, since: since) <= now }
        guard !late.isEmpty else { return [] }
        let reason = "its part was not loaded within \(configuration.loadingTimeout.tenths) s"
        var effects = end(because: late.first, reason: reason, at: now)
        for node in late { effects += setAside(node, reason: reason, isRetryable: true, at: now) }
        return effects
    }

    /// Counted anew from each sign that it comes further.
    private func loadingDeadline(of node: NodeID, since: Instant) -> Instant {
        max(since, progressedAt[node] ?? since).advanced(by: configuration.loadingTimeout)
    }

    /// Opens an epoch if none is open and enough workers are there.
    mutating func open(at now: Instant) -> [Effect] {
        guard case .waiting = state, let stages = nextStages(at: now) else { return [] }
        reducedTo = missingWorkerCount > 0 ? candidates.count : nil
        let pipeline = PlacedPipeline(epoch: Epoch(nextEpoch), stages: stages)
        nextEpoch += 1
        let assignments = pipeline.assignments(configuration)
        (lastNodes, lastStages, lastParts) = (pipeline.nodes, stages, assignments.map(\.partDigest))
        forgetStandbys()
        progressedAt = [:]
        state = .loading(pipeline, ready: [:], since: now)
        return [.opened(pipeline, assignments)]
    }

    /// The stages of the next pipeline; nil if there are not enough workers, or no plan for them.
    private mutating func nextStages(at now: Instant) -> [PlacedPipeline.Stage]? {
        if planner != nil {
            if let stages = repeatedStages { return stages }
            if let reductionTime, reductionTime <= now { plansForFewer = true }
            guard plansForFewer || missingWorkerCount == 0 else { return nil }
            let count = plansForFewer ? 1 : configuration.selection.workerCount
            let candidates = candidates
            return planner?.stages(of: candidates, atLeast: count, configuration)
        }
        if let stages = fullStages { return stages }
        guard let reduction, reduction.from <= now, reduction.shortage == nil else { return nil }
        return reduction.stages
    }

    /// The workers that may have a part in a pipeline for fewer than wanted, or in a planned one.
    var candidates: [Peer] {
        let available = available.map(\.peer)
        guard case .named(let named) = configuration.selection else { return available }
        return available.filter { peer in named.contains { $0.node == peer.node } }
    }

    /// The placement over the workers that are left, if there may be one.
    private var reduction: Reduction? { reductionTime.flatMap(reduction(from:)) }

    /// When those that are left may take over; nil while nobody is missing.
    private var reductionTime: Instant? {
        guard case .waiting(let reducibleFrom) = state else { return nil }
        return reducibleFrom
    }

    /// What comes of the workers that are left while others are missing.
    private func outlook(at now: Instant) -> String? {
        if plansForFewer { return planner?.problem.map { "; \($0)" } }
        guard let reductionTime else { return nil }
        let delay = max(0, now.duration(to: reductionTime).wholeNanoseconds + 999_999_999) / 1_000_000_000
        if planner != nil { return "; in \(delay) s it is planned for those that are left" }
        return reduction.map { reduction in
            if let shortage = reduction.shortage { return "; those left cannot hold the model: \(shortage)" }
            return "; in \(delay) s the model is placed on \(reduction.stages.count)"
        }
    }
}
