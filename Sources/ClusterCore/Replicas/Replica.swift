import Transport

/// The model once: the workers that hold it, and the requests that run on them. Another replica's loss is none of its own.
public struct Replica: Sendable {
    public internal(set) var placement: Placement
    public internal(set) var scheduler: Scheduler
    public internal(set) var breaker = CircuitBreaker()
    var progress = StageProgress()
    /// When the pipeline ended that the next one to serve replaces.
    var endedAt: Instant?

    init(_ placement: PlacementConfiguration, _ scheduler: SchedulerConfiguration) throws(PlanningError) {
        self.placement = try Placement(configuration: placement)
        self.scheduler = Scheduler(configuration: scheduler)
    }

    /// When `tick` has something to do next, if nothing else happens.
    var nextDeadline: Instant? {
        [placement.nextDeadline, scheduler.nextDeadline, breaker.nextDeadline].compactMap(\.self).min()
    }

    var isLoading: Bool { placement.pipeline != nil && !placement.isServing }

    /// Why it does not serve.
    func unavailability(at now: Instant) -> String { placement.problem(at: now) ?? "no pipeline is ready" }

    /// Whether it serves, and a token has passed through every stage within the last two probe intervals; if not, why not.
    func readiness(at now: Instant) -> (isReady: Bool, reason: String) {
        guard placement.isServing else { return (false, unavailability(at: now)) }
        guard let last = scheduler.lastTokenPassedHereAt else {
            return (false, "no token has passed through all stages yet")
        }
        let age = last.duration(to: now)
        guard age <= scheduler.configuration.probeInterval * 2 else {
            return (false, "no token has passed through all stages for \(age.tenths) s")
        }
        return (true, "")
    }

    /// What it offers to a request that it could take; nil if it cannot.
    func offer(_ request: RequestRecord, as index: Int) -> Balancer.Offer? {
        guard placement.isServing, scheduler.fits(request) else { return nil }
        let isOpen =
            switch breaker.state {
            case .closed: false
            case .open: true
            // One at a time.
            case .halfOpen: scheduler.openRequestCount > 0
            }
        var own = request.outstanding
        own.knownCount -= min(own.knownCount, reusableTokenCount(of: request))
        return Balancer.Offer(
            replica: index, outstanding: scheduler.outstanding, own: own, pace: scheduler.pace,
            hasRoom: scheduler.hasRoom(for: request), openingCount: isOpen ? breaker.openingCount : 0)
    }

    /// How many of a request's tokens need not be computed here, as keys and values of them are kept of an earlier one.
    private func reusableTokenCount(of request: RequestRecord) -> Int {
        guard case .generation(let generation) = request.work else { return 0 }
        return scheduler.reusableTokenCount(of: request.tokens, owner: generation.owner)
    }

    /// How it stands with its workers.
    var standing: Teams.Standing {
        let usable = placement.candidates.map(\.node)
        return Teams.Standing(
            isPlaced: placement.pipeline != nil, usableCount: usable.count,
            wantedCount: placement.configuration.selection.workerCount,
            idle: usable.filter { placement.pipeline?.place(of: $0) == nil && placement.pendingDrain?.spare != $0 })
    }
}
