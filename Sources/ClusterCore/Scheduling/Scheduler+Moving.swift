import Transport

/// Requests that come from another replica, or go to one.
extension Scheduler {
    /// All that is still to be done for the requests that run and wait.
    var outstanding: TokenWork {
        let waiting = waiting.reduce(TokenWork()) { $0 + $1.outstanding }
        return running.reduce(waiting) { sum, sequence in
            guard sequence.ticket != nil else { return sum }
            var work = sequence.request.outstanding
            work.knownCount = sequence.unsentKnownTokenCount
            return sum + work
        }
    }

    /// Whether a request that is possible on some pipeline is on the open one.
    func fits(_ request: RequestRecord) -> Bool {
        line.map { request.work.fits(contextLength: $0.contextLength) } ?? false
    }

    /// Whether a request could begin at once.
    func hasRoom(for request: RequestRecord) -> Bool {
        line != nil && waiting.isEmpty && canBegin(request)
    }

    /// Takes a request out of the queue; nil if it does not wait there.
    mutating func withdraw(_ ticket: Ticket) -> RequestRecord? {
        waiting.firstIndex { $0.ticket == ticket }.map { waiting.remove(at: $0) }
    }

    /// Takes a request of another replica, whatever the limit of the queue: before those that have not begun if it has.
    mutating func adopt(_ request: RequestRecord, at now: Instant) -> [Effect] {
        let index = request.hasBegun ? waiting.firstIndex { !$0.hasBegun } : nil
        waiting.insert(request, at: index ?? waiting.endIndex)
        return advance(at: now)
    }

    /// A pipeline is being loaded, for which requests of another one may wait.
    mutating func awaitPipeline() {
        if line == nil, outage == nil { outage = Outage() }
    }

    /// No replica serves any more: from now on it counts how long requests wait for one, if none is being loaded here.
    mutating func restartOutage(at now: Instant) {
        guard outage != nil else { return }
        outage?.waited = .zero
        if outage?.since != nil { outage?.since = now }
    }
}

extension RequestRecord {
    /// What is to be done for it on a pipeline that has seen nothing of it.
    var outstanding: TokenWork {
        TokenWork(knownCount: tokens.count, newCount: max(0, work.maximumNewTokenCount - committedTokenCount))
    }
}
