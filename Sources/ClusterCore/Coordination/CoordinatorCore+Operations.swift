import Transport

/// How far the end of the cluster is.
enum Shutdown: Sendable, Equatable {
    /// Open requests may go on, no longer than that.
    case lettingRequestsEnd(until: Instant)
    /// Workers have been told to leave, and are waited for, no longer than that.
    case lettingWorkersLeave(until: Instant)
    case over

    /// How long workers may take to say that they leave.
    static let leavingLimit = Duration.seconds(5)

    var deadline: Instant? {
        switch self {
        case .lettingRequestsEnd(let until), .lettingWorkersLeave(let until): until
        case .over: nil
        }
    }
}

extension CoordinatorCore {
    /// Why an operation cannot be done now; nil if it can. What was done already can be done again.
    public func refusal(of operation: ClusterOperation, at now: Instant) -> OperationRefusal? {
        if shutdown != nil, operation != .shutDown { return OperationRefusal("the cluster is shutting down") }
        switch operation {
        case .drain(let node, let isForced):
            guard membership[node] != nil || isDrained(node) else { return unknown(node) }
            guard !isForced, let problem = problem(ofDraining: node, at: now) else { return nil }
            return OperationRefusal(
                "the others cannot take over what \(node) holds: \(problem); start a spare, or drain it with --force: "
                    + "requests wait then")
        case .resume(let node):
            return membership[node] != nil || isDrained(node) ? nil : unknown(node)
        case .rebalance:
            let problems = replicas.indices.compactMap { index in
                replicas[index].placement.problemOfRebalancing(at: now).map { label(index) + $0 }
            }
            return problems.count < replicas.count ? nil : OperationRefusal(problems.joined(separator: "; "))
        case .shutDown: return nil
        }
    }

    /// Workers that are to hold nothing, in order of name.
    public var drained: [NodeID] { replicas[0].placement.drained }

    private func isDrained(_ node: NodeID) -> Bool { replicas[0].placement.isDrained(node) }

    /// What keeps others from taking over what a worker holds; nil if nothing does, or another replica goes on.
    private func problem(ofDraining node: NodeID, at now: Instant) -> String? {
        guard let team = teams.team(of: node) else { return nil }
        var trial = self
        _ = trial.lendSpare(toDrain: node, at: now)
        guard let problem = trial.replicas[team].placement.problem(ofDraining: node, at: now) else { return nil }
        let others = replicas.indices.filter { $0 != team && replicas[$0].placement.isServing }
        return others.isEmpty ? problem : nil
    }

    /// Gives a replica that has no spare one of another for the place of a worker that is to be drained.
    private mutating func lendSpare(toDrain node: NodeID, at now: Instant) -> [Effect] {
        guard let team = teams.team(of: node), replicas[team].placement.pipeline?.place(of: node) != nil,
            replicas[team].standing.idle.isEmpty, let move = teams.spare(for: team, replicas.map(\.standing))
        else { return [] }
        return perform(move, at: now)
    }

    private func unknown(_ node: NodeID) -> OperationRefusal {
        OperationRefusal("there is no worker \(node); ryz health shows which there are", isUnknownNode: true)
    }

    /// Does what is asked, unless it is refused.
    mutating func operate(_ operation: ClusterOperation, at now: Instant) -> [Effect] {
        guard refusal(of: operation, at: now) == nil else { return [] }
        switch operation {
        case .drain(let node, let isForced):
            let lent = isDrained(node) ? [] : lendSpare(toDrain: node, at: now)
            // Whichever replica the worker belongs to when it comes again, it is to hold nothing.
            return [.notice(.drained(node, isForced: isForced))] + lent
                + replicas.indices.flatMap { place(.drained(node, isForced: isForced), in: $0, at: now) }
        case .resume(let node):
            // Replicas may be planned for it that could not be without it, although nothing was measured anew.
            if !isParted { plannedRevision = nil }
            return [.notice(.resumed(node))]
                + replicas.indices.flatMap { place(.resumed(node), in: $0, at: now) }
        case .rebalance:
            return replicas.indices.flatMap { place(.rebalance, in: $0, at: now) }
        case .shutDown:
            guard shutdown == nil else { return [] }
            shutdown = .lettingRequestsEnd(until: now.advanced(by: configuration.shutdownLimit))
            return [.notice(.shuttingDown(openRequestCount: openRequestCount))]
        }
    }

    /// Tells a drained worker, which says what it holds, to let go of it.
    func release(_ node: NodeID, at connection: Connection, _ heartbeat: Heartbeat) -> [Effect] {
        guard isDraining(node), heartbeat.keyValueTokenCapacity > 0,
            !replicas.contains(where: { $0.placement.pipeline?.place(of: node) != nil })
        else { return [] }
        return [.answer(envelope(.release), to: connection)]
    }

    /// Whether a drained worker may still hold something.
    func isDraining(_ node: NodeID) -> Bool {
        isDrained(node) && membership[node]?.lastHeartbeat?.keyValueTokenCapacity ?? 1 > 0
    }

    /// Brings workers in that a placement is too small for, when nothing runs there or it has waited long enough.
    mutating func bringIn(at now: Instant) -> [Effect] {
        replicas.indices.flatMap { index -> [Effect] in
            guard let deadline = rebalancingDeadline(of: index) else { return [] }
            let isIdle = replicas[index].scheduler.openRequestCount == 0 && !survey.isMeasuring
            guard isIdle || deadline <= now else { return [] }
            return place(.rebalance, in: index, at: now)
        }
    }

    /// When workers are brought in even if requests run; nil if none are.
    var rebalancingDeadline: Instant? { replicas.indices.compactMap(rebalancingDeadline).min() }

    private func rebalancingDeadline(of replica: Int) -> Instant? {
        guard shutdown == nil, let delay = configuration.rebalancingDelay else { return nil }
        return replicas[replica].placement.betterSince?.advanced(by: delay)
    }

    /// Requests that run or wait, of all replicas.
    var openRequestCount: Int { replicas.reduce(0) { $0 + $1.scheduler.openRequestCount } }

    /// Takes the shutdown a step on, if it is time.
    mutating func proceedWithShutdown(at now: Instant) -> [Effect] {
        switch shutdown {
        case .lettingRequestsEnd(let until) where openRequestCount == 0 || until <= now:
            shutdown = .lettingWorkersLeave(until: now.advanced(by: Shutdown.leavingLimit))
            let farewells = membership.members.compactMap { member in
                membership.connection(of: member.node).map { farewell(to: $0) }
            }
            let closed = replicas.indices.flatMap { place(.closed, in: $0, at: now) }
            return closed + farewells + proceedWithShutdown(at: now)
        case .lettingWorkersLeave(let until) where until <= now || !membership.members.contains(where: \.isPresent):
            shutdown = .over
            return [.shutDown]
        default: return []
        }
    }

    /// To a worker that joins when the others have been told to leave.
    func lateFarewell(to node: NodeID) -> [Effect] {
        guard case .lettingWorkersLeave = shutdown, let connection = membership.connection(of: node) else { return [] }
        return [farewell(to: connection)]
    }

    private func farewell(to connection: Connection) -> Effect {
        .answer(envelope(.leave(Leave(reason: "the cluster is shutting down"))), to: connection)
    }

    /// What health says of the shutdown; nil if there is none.
    func shutdownReason(at now: Instant) -> String? {
        switch shutdown {
        case nil: return nil
        case .lettingRequestsEnd(let until):
            return "shutting down: open requests may go on for \(now.duration(to: until).tenths) s"
        case .lettingWorkersLeave, .over: return "shutting down: workers are leaving"
        }
    }
}
