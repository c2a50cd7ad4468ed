import Transport

/// What spares load in advance, so that they take over without loading.
extension Placement {
    /// The place that a spare covers.
    struct Standby: Sendable {
        /// Position among the nodes of the pipeline, in order of stages and ranks.
        var place: Int
        /// The `partDigest` of what it is to load.
        var part: UInt64
        /// When it was told to load it, or was last seen to come further with it.
        var awaitedSince: Instant
        /// Why it has not loaded it; nil if nothing is wrong.
        var problem: SetAside?
    }

    /// How long a spare that failed to load its part is left alone.
    private static let retryDelay = Duration.seconds(60)

    /// What a spare covers, for health; nil if nothing.
    public func standby(of node: NodeID) -> StandbyHealth? {
        guard let worker = workers.first(where: { $0.peer.node == node }), let standby = worker.standby,
            let pipeline, let place = pipeline.place(at: standby.place)
        else { return nil }
        let layers = pipeline.stages[place.stage].layers
        return StandbyHealth(
            stage: place.stage, rank: place.rank, firstLayer: layers.lowerBound, endLayer: layers.upperBound,
            isWarm: worker.heldPart == standby.part, problem: standby.problem?.reason ?? "")
    }

    /// Whether a spare is loading what it is to have ready.
    public var isPreparing: Bool {
        isServing
            && workers.contains { worker in
                worker.standby.map { $0.problem == nil && $0.part != worker.heldPart } ?? false
            }
    }

    /// Whether a worker says that it has loaded that part.
    func holds(_ node: NodeID, _ part: UInt64) -> Bool {
        workers.contains { $0.peer.node == node && $0.heldPart == part }
    }

    /// Whether any worker says that it has loaded that part.
    func holds(_ part: UInt64) -> Bool { workers.contains { $0.heldPart == part } }

    /// The last stages again, with those in the place of workers that went that have loaded just their parts; nil if there
    /// are none, or nobody went.
    var repeatedStages: [PlacedPipeline.Stage]? {
        guard configuration.keepsSparesWarm else { return nil }
        let candidates = candidates
        var others = candidates.filter { !lastNodes.contains($0.node) }
        var parts = lastParts[...]
        var isRepaired = false
        var stages: [PlacedPipeline.Stage] = []
        for stage in lastStages {
            var ranks: [StageRank] = []
            for rank in stage.ranks {
                guard let part = parts.popFirst() else { return nil }
                if let peer = candidates.first(where: { $0.node == rank.peer.node }) {
                    ranks.append(StageRank(peer: peer, share: rank.share))
                    continue
                }
                guard let index = others.firstIndex(where: { holds($0.node, part) }) else { return nil }
                ranks.append(StageRank(peer: others.remove(at: index), share: rank.share))
                isRepaired = true
            }
            stages.append(PlacedPipeline.Stage(ranks: ranks, layers: stage.layers))
        }
        return isRepaired ? stages : nil
    }

    /// Gives each spare a place to cover while the pipeline serves: first those that nobody covers, of these the ones that
    /// take longest to load. A spare keeps what it has.
    mutating func prepareSpares(at now: Instant) -> [Effect] {
        guard configuration.keepsSparesWarm, case .serving(let pipeline) = state else { return [] }
        expireStandbys(at: now)
        let spares = workers.indices.filter { isSpare(workers[$0].peer.node) }
        for index in workers.indices where !spares.contains(index) { workers[index].standby = nil }
        guard spares.contains(where: { workers[$0].standby == nil }) else { return [] }
        var coverCounts = [Int](repeating: 0, count: lastParts.count)
        for index in spares {
            if workers[index].standby == nil, let place = lastParts.firstIndex(of: workers[index].heldPart) {
                // It has it from before.
                workers[index].standby = Standby(place: place, part: lastParts[place], awaitedSince: now)
            }
            if let place = workers[index].standby?.place { coverCounts[place] += 1 }
        }
        let weights = pipeline.stages.flatMap { stage in
            stage.ranks.map { _ in configuration.byteCount(of: stage.layers) / UInt64(stage.ranks.count) }
        }
        var effects: [Effect] = []
        for index in spares where workers[index].standby == nil {
            guard
                let place = coverCounts.indices.min(by: { left, right in
                    (coverCounts[left], weights[right], left) < (coverCounts[right], weights[left], right)
                })
            else { break }
            coverCounts[place] += 1
            workers[index].standby = Standby(place: place, part: lastParts[place], awaitedSince: now)
            if let assignment = pipeline.assignment(of: place, to: workers[index].peer, configuration) {
                effects.append(.prepare(workers[index].peer.node, assignment))
            }
        }
        return effects
    }

    /// A spare that connected anew may have missed what it was to load, and one that held it may have let go of it.
    mutating func orderStandbyAgain(of node: NodeID, at now: Instant) {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }), let standby = workers[index].standby,
            standby.part != workers[index].heldPart
        else { return }
        // Who waits for it to take over goes on without that.
        if pendingDrain?.spare == node {
            return setStandbyProblem("it has to load its part again", isRetryable: true, of: node, at: now)
        }
        workers[index].standby = nil
    }

    /// What a worker says that it has loaded. A spare that has let go of its part, as one that was drained when it was told to
    /// and is resumed now, is told again.
    mutating func noteHeld(_ part: UInt64, by node: NodeID, at now: Instant) {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return }
        let wasWarm = workers[index].standby.map { $0.part == workers[index].heldPart } ?? false
        workers[index].heldPart = part
        if wasWarm { orderStandbyAgain(of: node, at: now) }
    }

    /// Places are given anew; who has loaded its part keeps it.
    mutating func forgetStandbys() {
        for index in workers.indices { workers[index].standby = nil }
    }

    mutating func setStandbyProblem(_ reason: String, isRetryable: Bool, of node: NodeID, at now: Instant) {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return }
        workers[index].standby?.problem = SetAside(
            reason: reason, until: isRetryable ? now.advanced(by: Self.retryDelay) : nil)
    }

    /// What is not loaded yet is waited for anew from each sign that it comes further.
    mutating func noteStandbyProgress(of node: NodeID, at now: Instant) {
        guard let index = workers.firstIndex(where: { $0.peer.node == node }) else { return }
        workers[index].standby?.awaitedSince = now
        if pendingDrain?.spare == node { pendingDrain?.until = now.advanced(by: configuration.loadingTimeout) }
    }

    /// When a spare is to be told again, or has taken too long.
    var standbyDeadlines: [Instant] {
        guard isServing, configuration.keepsSparesWarm else { return [] }
        return workers.compactMap { worker in
            guard let standby = worker.standby, standby.part != worker.heldPart else { return nil }
            if let problem = standby.problem { return problem.until }
            return standby.awaitedSince.advanced(by: configuration.loadingTimeout)
        }
    }

    private mutating func expireStandbys(at now: Instant) {
        for index in workers.indices {
            guard let standby = workers[index].standby, standby.part != workers[index].heldPart else { continue }
            if let problem = standby.problem {
                if problem.isOver(at: now) { workers[index].standby = nil }
            } else if standby.awaitedSince.advanced(by: configuration.loadingTimeout) <= now {
                let reason = "its part was not loaded within \(configuration.loadingTimeout.tenths) s"
                setStandbyProblem(reason, isRetryable: true, of: workers[index].peer.node, at: now)
            }
        }
    }
}
