import Transport

extension Scheduler {
    /// The time after a pipeline, until the next one serves.
    struct Outage: Sendable {
        /// How long there has been no placement, before `since`.
        var waited = Duration.zero
        /// Since when there has been none; nil while one is being loaded.
        var since: Instant?
    }

    /// The pipeline is gone. Every sequence is to be computed anew on the next one.
    mutating func close(because reason: String, isLoss: Bool, at now: Instant) -> [Effect] {
        guard line != nil || outage != nil else { return [] }
        let lost = running
        running = []
        kept = []
        inFlight = []
        unreleased = []
        releasedAlone = []
        line = nil
        budget = KeyValueBudget(tokenCapacity: 0)
        var outage = outage ?? Outage()
        outage.since = outage.since ?? now
        self.outage = outage
        return rebuild(lost, because: reason, isLoss: isLoss)
    }

    /// The next pipeline is being loaded. That is no waiting for capacity.
    mutating func noteLoading(at now: Instant) {
        guard var outage, let since = outage.since else { return }
        outage.waited += since.duration(to: now)
        outage.since = nil
        self.outage = outage
    }

    /// Puts the requests of lost sequences at the head of the queue, in their order. Those that have been rebuilt too
    /// often end: one of them may be what breaks the workers.
    mutating func rebuild(
        _ lost: [RunningSequence], because reason: String, isLoss: Bool = true
    ) -> [Effect] {
        var effects: [Effect] = []
        var requests: [RequestRecord] = []
        for sequence in lost {
            var request = sequence.request
            guard let ticket = request.ticket else { continue }
            // What no stage has seen has broken none.
            if sequence.hasBegun {
                request.hasBegun = true
                if isLoss { request.lossCount += 1 }
            }
            if request.lossCount > configuration.rebuildLimit {
                effects.append(.failed(ticket, .lostTooOften(count: request.lossCount, reason: reason)))
            } else {
                requests.append(request)
            }
        }
        waiting.insert(contentsOf: requests, at: 0)
        return effects
    }

    /// When requests have waited long enough for another pipeline; nil while one is being loaded.
    var outageDeadline: Instant? {
        outage.flatMap { outage in outage.since?.advanced(by: configuration.outageLimit - outage.waited) }
    }

    /// Gives up the requests that wait if no pipeline has come in time.
    mutating func endOutage(at now: Instant) -> [Effect] {
        guard let deadline = outageDeadline, deadline <= now else { return [] }
        defer { waiting = [] }
        return waiting.compactMap { $0.ticket.map { .outwaited($0, limit: configuration.outageLimit) } }
    }
}
