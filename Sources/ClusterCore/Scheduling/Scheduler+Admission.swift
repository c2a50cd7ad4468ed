import Transport

extension Scheduler {
    mutating func submit(_ ticket: Ticket, _ work: Work) -> [Effect] {
        guard let line else { return [.failed(ticket, .unavailable("no pipeline is ready"))] }
        if let problem = work.problem(
            contextLength: line.contextLength, vocabularySize: configuration.vocabularySize)
        {
            return [.failed(ticket, problem)]
        }
        waiting.append((ticket, work))
        admit()
        guard waiting.count > configuration.queueLimit else { return [] }
        waiting.removeLast()
        let limit = configuration.queueLimit
        return [.failed(ticket, .queueFull(limit: limit, retryAfterSeconds: retryAfterSeconds))]
    }

    /// Lets those that wait run, in order, while there is room.
    mutating func admit() {
        while let first = waiting.first, runningRequestCount < configuration.maximumRunningCount {
            let tokenCount = first.work.knownTokens.count + first.work.maximumNewTokenCount
            let blockCount = KeyValueBudget.blockCount(forTokens: tokenCount)
            guard budget.reserve(blockCount) else { return }
            waiting.removeFirst()
            newSequence(first.work, ticket: first.ticket, blockCount: blockCount)
        }
    }

    /// Ends the requests that wait and have a problem.
    mutating func refuseWaiting(because problem: (Work) -> GenerationError?) -> [Effect] {
        let refused = waiting.compactMap { request in
            problem(request.work).map { (ticket: request.ticket, error: $0) }
        }
        waiting.removeAll { request in refused.contains { $0.ticket == request.ticket } }
        return refused.map { .failed($0.ticket, $0.error) }
    }

    /// When requests have waited long enough for another pipeline.
    var outageDeadline: Instant? { outage?.since.advanced(by: configuration.outageLimit) }

    /// Ends the requests that wait if no pipeline has come in time.
    mutating func endOutage(at now: Instant) -> [Effect] {
        guard let outage, let deadline = outageDeadline, deadline <= now else { return [] }
        return refuseWaiting { _ in outage.error }
    }

    /// When a place in the queue may become free, from how often requests have ended lately.
    private var retryAfterSeconds: Int { Int(min(60, max(1, secondsBetweenEnds.rounded(.up)))) }

    /// Sends one token through all stages, to see that they work.
    mutating func probe() {
        guard running.isEmpty, budget.reserve(1) else { return }
        let request = GenerationRequest(
            id: "probe", promptTokens: [0], maximumTokenCount: 1, sampling: SamplingParameters(temperature: 0),
            stopTokens: [])
        newSequence(.generation(request), ticket: nil, blockCount: 1)
    }

    /// A sequence is over: its blocks are free, and the stages hear of it with the next step.
    mutating func end(_ index: Int, at now: Instant) {
        let sequence = running.remove(at: index)
        budget.giveBack(sequence.blockCount)
        if sequence.sentTokenCount > 0 { unreleased.append(sequence.id) }
        guard sequence.ticket != nil else { return }
        if let lastEndAt {
            secondsBetweenEnds += (lastEndAt.duration(to: now).secondCount - secondsBetweenEnds) / 8
        }
        lastEndAt = now
    }
}
