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
            guard membership[node] != nil || placement.isDrained(node) else { return unknown(node) }
            guard !isForced, let problem = placement.problem(ofDraining: node, at: now) else { return nil }
            return OperationRefusal(
                "the others cannot take over what \(node) holds: \(problem); start a spare, or drain it with --force: "
                    + "requests wait then")
        case .resume(let node):
            return membership[node] != nil || placement.isDrained(node) ? nil : unknown(node)
        case .rebalance:
            return placement.problemOfRebalancing(at: now).map { OperationRefusal($0) }
        case .shutDown: return nil
        }
    }

    private func unknown(_ node: NodeID) -> OperationRefusal {
        OperationRefusal("there is no worker \(node); ryz health shows which there are", isUnknownNode: true)
    }

    /// Does what is asked, unless it is refused.
    mutating func operate(_ operation: ClusterOperation, at now: Instant) -> [Effect] {
        guard refusal(of: operation, at: now) == nil else { return [] }
        switch operation {
        case .drain(let node, let isForced):
            return [.notice(.drained(node, isForced: isForced))]
                + apply(placement.handle(.drained(node, isForced: isForced), at: now), at: now)
        case .resume(let node):
            return [.notice(.resumed(node))] + apply(placement.handle(.resumed(node), at: now), at: now)
        case .rebalance:
            return apply(placement.handle(.rebalance, at: now), at: now)
        case .shutDown:
            guard shutdown == nil else { return [] }
            shutdown = .lettingRequestsEnd(until: now.advanced(by: configuration.shutdownLimit))
            return [.notice(.shuttingDown(openRequestCount: scheduler.openRequestCount))]
        }
    }

    /// Tells a drained worker, which says what it holds, to let go of it.
    func release(_ node: NodeID, at connection: Connection, _ heartbeat: Heartbeat) -> [Effect] {
        guard isDraining(node), heartbeat.keyValueTokenCapacity > 0, placement.pipeline?.place(of: node) == nil else {
            return []
        }
        return [.answer(envelope(.release), to: connection)]
    }

    /// Whether a drained worker may still hold something.
    func isDraining(_ node: NodeID) -> Bool {
        placement.isDrained(node) && membership[node]?.lastHeartbeat?.keyValueTokenCapacity ?? 1 > 0
    }

    /// Brings workers in that the placement is too small for, when nothing runs or it has waited long enough.
    mutating func bringIn(at now: Instant) -> [Effect] {
        guard let deadline = rebalancingDeadline else { return [] }
        let isIdle = scheduler.openRequestCount == 0 && !survey.isMeasuring
        guard isIdle || deadline <= now else { return [] }
        return apply(placement.handle(.rebalance, at: now), at: now)
    }

    /// When workers are brought in even if requests run; nil if none are.
    var rebalancingDeadline: Instant? {
        guard shutdown == nil, let delay = configuration.rebalancingDelay else { return nil }
        return placement.betterSince?.advanced(by: delay)
    }

    /// Takes the shutdown a step on, if it is time.
    mutating func proceedWithShutdown(at now: Instant) -> [Effect] {
        switch shutdown {
        case .lettingRequestsEnd(let until) where scheduler.openRequestCount == 0 || until <= now:
            shutdown = .lettingWorkersLeave(until: now.advanced(by: Shutdown.leavingLimit))
            let farewells = membership.members.compactMap { member in
                membership.connection(of: member.node).map { farewell(to: $0) }
            }
            return apply(placement.handle(.closed, at: now), at: now) + farewells + proceedWithShutdown(at: now)
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
