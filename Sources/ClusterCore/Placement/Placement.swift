import Transport

/// Who holds which part of the model, and since when it serves: waiting → loading → serving, and back when a worker goes.
///
/// When enough workers are there, it opens an epoch and assigns parts; when all have loaded theirs, it serves. A worker
/// that goes ends the epoch, and the next one is opened as soon as there are enough workers again. A worker that
/// fails to load is set aside for a while that doubles with each failure, or, when doing it again cannot help, until
/// its process is started anew.
public struct Placement: Sendable {
    public let configuration: PlacementConfiguration
    private var state = State.waiting
    private var nextEpoch: UInt64
    /// In order of joining.
    private var workers: [Worker] = []
    /// Nil where the operator has settled the shape.
    private var planner: StagePlanner?

    private enum State: Sendable {
        case waiting
        case loading(PlacedPipeline, ready: [NodeID: StageReady], since: Instant)
        case serving(PlacedPipeline)
    }

    private struct Worker: Sendable {
        var peer: Peer
        var failureCount = 0
        var setAside: SetAside?
    }

    private struct SetAside: Sendable {
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
        planner = configuration.planning.map { StagePlanner($0) }
        _ = try configuration.split()
    }

    /// The current epoch's stages, from the moment they are assigned.
    public var pipeline: PlacedPipeline? {
        switch state {
        case .waiting: nil
        case .loading(let pipeline, _, _), .serving(let pipeline): pipeline
        }
    }

    /// Whether all ranks of all stages are ready.
    public var isServing: Bool {
        if case .serving = state { true } else { false }
    }

    /// The newest epoch that was opened; before the first, the one before it.
    public var epoch: Epoch { Epoch(nextEpoch == 0 ? 0 : nextEpoch - 1) }

    /// How many expected workers are not there, or set aside.
    public var missingWorkerCount: Int {
        switch configuration.selection {
        case .count(let count): max(0, count - workers.count { $0.setAside == nil })
        case .named(let named):
            named.count { wanted in !workers.contains { $0.peer.node == wanted.node && $0.setAside == nil } }
        }
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
        let missing = missingWorkerCount
        guard missing > 0 else { return pipeline == nil ? planner?.problem : nil }
        return "waiting for \(missing) of \(configuration.selection.workerCount) workers"
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        var deadlines = workers.compactMap { $0.setAside?.until }
        if case .loading(_, _, let since) = state { deadlines.append(since.advanced(by: configuration.loadingTimeout)) }
        return deadlines.min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .joined(let peer):
            let effects = remove(peer.node, reason: "its process was started anew")
            workers.append(Worker(peer: peer))
            return effects + open(at: now)
        case .returned(let peer):
            return reconnect(peer, at: now)
        case .gone(let node, let reason):
            return remove(node, reason: reason) + open(at: now)
        case .ready(let node, let epoch, let ready):
            return note(ready, of: node, in: epoch)
        case .loadingFailed(let node, let epoch, let message, let isRetryable):
            guard case .loading(let pipeline, _, _) = state, pipeline.epoch == epoch, pipeline.place(of: node) != nil
            else { return [] }
            return end(because: node, reason: message)
                + setAside(node, reason: message, isRetryable: isRetryable, at: now) + open(at: now)
        case .stalled(let node, let reason):
            let ended = end(because: node, reason: reason)
            guard !ended.isEmpty else { return [] }
            let aside = node.map { setAside($0, reason: reason, isRetryable: true, at: now) } ?? []
            return ended + aside + open(at: now)
        case .measured(let measurements):
            return planner?.take(measurements) == true ? open(at: now) : []
        case .tick:
            let expired = expire(at: now)
            for index in workers.indices where workers[index].setAside?.isOver(at: now) == true {
                workers[index].setAside = nil
            }
            return expired + open(at: now)
        }
    }
}

extension Placement {
    private mutating func remove(_ node: NodeID, reason: String) -> [Effect] {
        guard workers.contains(where: { $0.peer.node == node }) else { return [] }
        workers.removeAll { $0.peer.node == node }
        guard pipeline?.place(of: node) != nil else { return [] }
        return end(because: node, reason: reason)
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
            return end(because: peer.node, reason: "it lost its connection while loading") + open(at: now)
        }
        guard moved else { return [] }
        return end(because: peer.node, reason: "the data endpoint of stage \(place.stage) has changed") + open(at: now)
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
        return effects + [.serving(pipeline, keyValueTokenCapacity: capacity)]
    }

    private mutating func end(because node: NodeID?, reason: String) -> [Effect] {
        guard let pipeline else { return [] }
        state = .waiting
        return [.ended(pipeline, node: node, reason: reason)]
    }

    private mutating func setAside(
        _ node: NodeID, reason: String, isRetryable: Bool, at now: Instant
    ) -> [Effect] {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return [] }
        workers[index].failureCount = min(workers[index].failureCount + 1, 6)
        let delay = Duration.seconds(min(60, 1 << workers[index].failureCount))
        workers[index].setAside = SetAside(reason: reason, until: isRetryable ? now.advanced(by: delay) : nil)
        return [.detail(node, reason)]
    }

    /// Sets a worker aside that does not finish loading.
    private mutating func expire(at now: Instant) -> [Effect] {
        guard case .loading(let pipeline, let ready, let since) = state,
            since.duration(to: now) >= configuration.loadingTimeout
        else { return [] }
        let late = pipeline.nodes.filter { ready[$0] == nil }
        let reason = "its part was not loaded within \(configuration.loadingTimeout.tenths) s"
        var effects = end(because: late.first, reason: reason)
        for node in late { effects += setAside(node, reason: reason, isRetryable: true, at: now) }
        return effects
    }

    /// Opens an epoch if none is open and enough workers are there.
    private mutating func open(at now: Instant) -> [Effect] {
        guard case .waiting = state, let stages = nextStages() else { return [] }
        let epoch = Epoch(nextEpoch)
        nextEpoch += 1
        let pipeline = PlacedPipeline(epoch: epoch, stages: stages)
        state = .loading(pipeline, ready: [:], since: now)
        return [.opened(pipeline, pipeline.assignments(configuration))]
    }

    /// The stages of the next pipeline; nil if there are not enough workers, or no plan for them.
    private mutating func nextStages() -> [PlacedPipeline.Stage]? {
        if planner != nil {
            guard missingWorkerCount == 0 else { return nil }
            let candidates = candidates
            return planner?.stages(of: candidates, atLeast: configuration.selection.workerCount, configuration)
        }
        guard let peers = chosen(), let split = try? configuration.split() else { return nil }
        return stages(of: peers, split)
    }

    /// The workers that may have a part in a planned pipeline.
    private var candidates: [Peer] {
        let available = workers.filter { $0.setAside == nil }.map(\.peer)
        guard case .named(let named) = configuration.selection else { return available }
        return available.filter { peer in named.contains { $0.node == peer.node } }
    }

    /// The workers fill the stages in their order.
    private func stages(of peers: [Peer], _ split: LayerSplit) -> [PlacedPipeline.Stage] {
        var rest = peers[...]
        return zip(configuration.resolvedShape, split.ranges).map { rankCount, layers in
            let shares = configuration.parts.shares(weights: [UInt64](repeating: 1, count: rankCount))
            defer { rest = rest.dropFirst(rankCount) }
            return PlacedPipeline.Stage(
                ranks: zip(rest, shares).map { StageRank(peer: $0, share: $1) }, layers: layers)
        }
    }

    /// The workers that make up the next pipeline, in order of stages and ranks; nil if there are not enough.
    private func chosen() -> [Peer]? {
        let available = workers.filter { $0.setAside == nil }.map(\.peer)
        let count = configuration.resolvedShape.reduce(0, +)
        switch configuration.selection {
        case .count:
            guard available.count >= count else { return nil }
            return available.prefix(count).sorted { $0.node < $1.node }
        case .named(let named):
            let wanted = named.prefix(count)
            let peers = wanted.compactMap { worker in available.first { $0.node == worker.node } }
            return peers.count == wanted.count ? peers : nil
        }
    }
}
