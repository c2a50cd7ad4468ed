import Transport

extension Scheduler {
    mutating func submit(_ request: RequestRecord, queuedElsewhereCount: Int) -> [Effect] {
        guard let ticket = request.ticket else { return [] }
        guard line != nil || outage != nil else { return [.failed(ticket, .unavailable("no pipeline is ready"))] }
        let contextLength = line?.contextLength ?? configuration.contextLength
        if let problem = request.work.problem(
            contextLength: contextLength, vocabularySize: configuration.vocabularySize)
        {
            return [.failed(ticket, problem)]
        }
        waiting.append(request)
        admit()
        guard waiting.last?.ticket == ticket, waiting.count + queuedElsewhereCount > configuration.queueLimit else {
            return []
        }
        waiting.removeLast()
        let limit = configuration.queueLimit
        return [.failed(ticket, .queueFull(limit: limit, retryAfterSeconds: retryAfterSeconds))]
    }

    /// Lets a request in again, whatever the limit of the queue, and whether or not there is a pipeline.
    mutating func restore(_ request: RequestRecord, at now: Instant) -> [Effect] {
        guard let ticket = request.ticket else { return [] }
        if let problem = request.work.problem(
            contextLength: configuration.contextLength, vocabularySize: configuration.vocabularySize)
        {
            return [.failed(ticket, problem)]
        }
        if line == nil, outage == nil { outage = Outage(since: now) }
        var request = request
        request.hasBegun = true
        waiting.append(request)
        return []
    }

    /// Lets those that wait run, in order, while there is room.
    mutating func admit() {
        while let first = waiting.first, canBegin(first) {
            waiting.removeFirst()
            begin(first)
        }
    }

    /// Whether there is room for a request among those that run.
    func canBegin(_ request: RequestRecord) -> Bool {
        runningRequestCount < configuration.maximumRunningCount && budget.canReserve(request.blockCount)
    }

    /// Ends the requests that wait and have a problem.
    mutating func refuseWaiting(because problem: (Work) -> GenerationError?) -> [Effect] {
        var effects: [Effect] = []
        waiting.removeAll { request in
            guard let ticket = request.ticket, let error = problem(request.work) else { return false }
            effects.append(.failed(ticket, error))
            return true
        }
        return effects
    }

    /// When a place in the queue may become free, from how often requests have ended lately.
    private var retryAfterSeconds: Int { Int(min(60, max(1, secondsBetweenEnds.rounded(.up)))) }

    /// Sends one token through all stages, to see that they work.
    mutating func probe() {
        guard running.isEmpty, budget.canReserve(1) else { return }
        let request = GenerationRequest(
            id: "probe", promptTokens: [0], maximumTokenCount: 1, sampling: SamplingParameters(temperature: 0),
            stopTokens: [])
        begin(RequestRecord(ticket: nil, work: .generation(request)))
    }

    /// A request is over: its blocks are free, and the stages hear of it with the next step.
    ///
    /// - Parameter keepsPrefix: whether stages keep what was sent of it, for a request that begins alike.
    mutating func end(_ index: Int, keepsPrefix: Bool = false, at now: Instant) {
        let sequence = keepsPrefix ? keep(index) : release(index)
        guard sequence.ticket != nil else { return }
        if let lastEndAt {
            secondsBetweenEnds += (lastEndAt.duration(to: now).secondCount - secondsBetweenEnds) / 8
        }
        lastEndAt = now
    }

    /// Takes a sequence off the pipeline.
    mutating func release(_ index: Int) -> RunningSequence {
        let sequence = running.remove(at: index)
        budget.giveBack(sequence.blockCount)
        if sequence.sentTokenCount > 0 { unreleased.append(sequence.id) }
        return sequence
    }
}
