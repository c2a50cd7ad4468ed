import Transport

/// Which request runs on which replica.
extension CoordinatorCore {
    mutating func submit(_ ticket: Ticket, _ work: Work, committed: [Int32], at now: Instant) -> [Effect] {
        if shutdown != nil { return [.failed(ticket, .shuttingDown)] }
        let request = RequestRecord(ticket: ticket, work: work, committed: committed)
        guard let replica = replica(for: request) else {
            return [.failed(ticket, .unavailable(unavailability(at: now)))]
        }
        let elsewhere = replicas.indices.reduce(0) { sum, other in
            other == replica ? sum : sum + replicas[other].scheduler.queuedRequestCount
        }
        return schedule(
            .submitted(ticket, work, committed: committed, queuedElsewhereCount: elsewhere), on: replica, at: now)
    }

    /// Where a new request runs or waits; nil if it cannot.
    private mutating func replica(for request: RequestRecord) -> Int? {
        if let picked = pick(for: request) { return picked }
        // What suits none of them is refused by any.
        if let serving = replicas.firstIndex(where: { $0.placement.isServing }) { return serving }
        guard isRecovering, let loading = replicas.firstIndex(where: \.isLoading) else { return nil }
        replicas[loading].scheduler.awaitPipeline()
        return loading
    }

    private func pick(for request: RequestRecord) -> Int? {
        Balancer.pick(replicas.indices.compactMap { replicas[$0].offer(request, as: $0) })
    }

    /// Lets a request in again that a coordinator before this one had let in.
    mutating func restore(_ ticket: Ticket, _ work: Work, committed: [Int32], at now: Instant) -> [Effect] {
        if !isParted, partingDeadline == nil {
            partingDeadline = now.advanced(by: configuration.placement.replanDelay)
        }
        return replicas.indices.flatMap { place(.continued, in: $0, at: now) }
            + schedule(.restored(ticket, work, committed: committed), on: 0, at: now)
    }

    /// Moves requests that wait: from replicas that do not serve to those that do, in their order, and from those that are
    /// busy to those that have room.
    mutating func moveRequests(at now: Instant) -> [Effect] {
        guard replicas.count > 1 else { return [] }
        var effects: [Effect] = []
        for source in replicas.indices {
            var count = 0
            for request in replicas[source].scheduler.waiting {
                guard let ticket = request.ticket, let target = target(for: request, from: source),
                    let moved = replicas[source].scheduler.withdraw(ticket)
                else { continue }
                if replicas[target].isLoading { replicas[target].scheduler.awaitPipeline() }
                effects += apply(replicas[target].scheduler.adopt(moved, at: now), of: target, at: now)
                count += 1
            }
            if count > 0 { effects.append(.notice(.requestsMoved(count: count, from: source))) }
        }
        return effects
    }

    /// Where a request should be that waits; nil if it is there.
    private func target(for request: RequestRecord, from source: Int) -> Int? {
        guard isServing else {
            // The time in which a pipeline is loaded does not count as waiting.
            return replicas[source].isLoading ? nil : replicas.firstIndex(where: \.isLoading)
        }
        guard replicas[source].placement.isServing else { return pick(for: request) }
        let offers = replicas.indices.compactMap { index -> Balancer.Offer? in
            guard index != source, replicas[index].scheduler.hasRoom(for: request),
                let offer = replicas[index].offer(request, as: index)
            else { return nil }
            return offer.openingCount == 0 ? offer : nil
        }
        return Balancer.pick(offers)
    }
}
