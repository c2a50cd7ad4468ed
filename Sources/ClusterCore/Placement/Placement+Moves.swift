import Transport

/// Moves of the model while it serves: nobody is lost, so nobody is waited for.
extension Placement {
    struct PendingDrain: Sendable {
        var node: NodeID
        /// Who takes its place when it has loaded this.
        var spare: NodeID
        var part: UInt64
        /// When it takes the place whether or not it has.
        var until: Instant

        var text: String { "\(node) is being drained: \(spare) is to take over when it has loaded the part" }
    }

    /// What keeps the others from taking over what a worker holds; nil if nothing does, or it holds nothing.
    func problem(ofDraining node: NodeID, at now: Instant) -> String? {
        guard pipeline?.place(of: node) != nil else { return nil }
        var trial = self
        _ = trial.drain(node, at: now)
        return trial.pipeline == nil ? trial.problem(at: now) ?? "no other worker is there" : nil
    }

    /// What keeps the model from being placed on more workers; nil if it can be.
    func problemOfRebalancing(at now: Instant) -> String? {
        guard isServing else { return problem(at: now) ?? "no pipeline is ready" }
        guard reducedTo != nil else { return "the model is placed as wanted" }
        var trial = self
        if !trial.rebalance(at: now).isEmpty { return nil }
        return problem(at: now) ?? "the workers that are there make no better placement"
    }

    /// That the model is placed on fewer workers than are there.
    var excess: String? {
        guard betterSince != nil, let pipeline else { return nil }
        return "placed on \(pipeline.nodes.count) of the \(candidates.count) workers that are there; "
            + "the others are brought in when the cluster is idle, or by ryz rebalance"
    }

    mutating func drain(_ node: NodeID, isForced: Bool = false, at now: Instant) -> [Effect] {
        if isForced, pendingDrain?.node == node {
            pendingDrain = nil
            return leave(node, at: now)
        }
        guard !isDrained(node) else { return [] }
        drained = (drained + [node]).sorted()
        guard pipeline?.place(of: node) != nil else { return [] }
        if pendingDrain == nil, let effects = prepareDrain(of: node, at: now) { return effects }
        pendingDrain = nil
        return leave(node, at: now)
    }

    mutating func resume(_ node: NodeID, at now: Instant) -> [Effect] {
        drained.removeAll { $0 == node }
        if pendingDrain?.node == node { pendingDrain = nil }
        return open(at: now)
    }

    /// The others take over what a worker holds.
    private mutating func leave(_ node: NodeID, at now: Instant) -> [Effect] {
        move(because: node, reason: "it is drained", at: now)
    }

    mutating func rebalance(at now: Instant) -> [Effect] {
        guard case .serving(let present) = state, reducedTo != nil else { return [] }
        var trial = self
        let effects = trial.move(because: nil, reason: "more workers are there", at: now)
        let isBetter =
            planner == nil
            ? trial.pipeline.map { $0.nodes.count > present.nodes.count && shortage(of: $0.stages) == nil } ?? false
            : trial.pipeline.map { $0.stages != present.stages } ?? false
        guard isBetter else {
            // With the same ones it is no better the next time.
            reducedTo = candidates.count
            return []
        }
        self = trial
        return effects
    }

    mutating func close(at now: Instant) -> [Effect] {
        let effects = end(because: nil, reason: "the cluster is shutting down", isLoss: false, at: now)
        state = .closed
        return effects
    }

    /// Ends the pipeline and opens the next one, over as many workers as there are.
    private mutating func move(because node: NodeID?, reason: String, at now: Instant) -> [Effect] {
        let ended = end(because: node, reason: reason, isLoss: false, at: now)
        isMoving = hasServed
        return ended + open(at: now)
    }

    /// Notes whether there are more workers than those that the pipeline was made for. Those that have failed at their
    /// part do not count: a pipeline that serves is not given up for them without a word.
    mutating func noteCandidates(at now: Instant) {
        guard isServing, let reducedTo, planner?.hasMeasured(candidates) ?? true else {
            betterSince = nil
            return
        }
        let sound = candidates.count { peer in
            workers.contains { $0.peer.node == peer.node && $0.failureCount == 0 }
        }
        betterSince = sound > reducedTo ? betterSince ?? now : nil
    }
}

/// Drains for which a spare loads the part before it takes it over, so that streams do not wait for that.
extension Placement {
    /// Has the spare load it that would take the place; nil if none would, or it has loaded it, or other parts change as
    /// well.
    private mutating func prepareDrain(of node: NodeID, at now: Instant) -> [Effect]? {
        guard case .serving(let pipeline) = state, let position = pipeline.nodes.firstIndex(of: node) else {
            return nil
        }
        var trial = self
        _ = trial.leave(node, at: now)
        guard let next = trial.pipeline, trial.lastParts == lastParts else { return nil }
        let changed = zip(pipeline.nodes, next.nodes).enumerated().filter { $0.element.0 != $0.element.1 }
        let spare = next.nodes[position]
        guard changed.map(\.offset) == [position], !holds(spare, lastParts[position]),
            let index = workers.firstIndex(where: { $0.peer.node == spare }),
            let assignment = pipeline.assignment(of: position, to: workers[index].peer, configuration)
        else { return nil }
        workers[index].standby = Standby(place: position, part: lastParts[position], awaitedSince: now)
        pendingDrain = PendingDrain(
            node: node, spare: spare, part: lastParts[position], until: now.advanced(by: configuration.loadingTimeout))
        return [.prepare(spare, assignment)]
    }

    /// Lets the spare take over when it has loaded the part, or will not.
    mutating func proceedWithDrain(at now: Instant) -> [Effect] {
        guard let pending = pendingDrain else { return [] }
        guard isServing, pipeline?.place(of: pending.node) != nil else {
            // It was lost meanwhile, or another was: the next placement is one without it.
            pendingDrain = nil
            return []
        }
        let spare = available.first { $0.peer.node == pending.spare }
        let isLoading = spare.map { $0.heldPart != pending.part && $0.standby?.problem == nil } ?? false
        guard !isLoading || pending.until <= now else { return [] }
        var trial = self
        trial.pendingDrain = nil
        let effects = trial.leave(pending.node, at: now)
        guard trial.pipeline != nil else {
            // The spare was lost, and nobody else can take over: the worker goes on until somebody can.
            pendingDrain?.until = now.advanced(by: configuration.loadingTimeout)
            return []
        }
        self = trial
        return effects
    }
}
