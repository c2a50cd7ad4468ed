import Transport

/// What replicas are told, and what they want done.
extension CoordinatorCore {
    /// Tells the placement to which a worker belongs.
    mutating func place(_ event: Placement.Event, of node: NodeID, at now: Instant) -> [Effect] {
        teams.team(of: node).map { place(event, in: $0, at: now) } ?? []
    }

    mutating func place(_ event: Placement.Event, in replica: Int, at now: Instant) -> [Effect] {
        replicas[replica].placement.skip(epoch)
        let effects = replicas[replica].placement.handle(event, at: now)
        epoch = max(epoch, replicas[replica].placement.epoch)
        return effects.flatMap { apply($0, of: replica, at: now) }
    }

    private mutating func apply(_ effect: Placement.Effect, of replica: Int, at now: Instant) -> [Effect] {
        switch effect {
        case .opened(let pipeline, let assignments):
            let others = replicas.indices.filter { $0 != replica }.compactMap { replicas[$0].placement.pipeline }
            var effects: [Effect] = [
                .notice(.epochOpened(pipeline, replica: replica)),
                .connect(pipeline.entrances, keeping: others.flatMap { $0.entrances.map(\.node) }),
            ]
            effects += schedule(.loading, on: replica, at: now)
            for (node, assignment) in zip(pipeline.nodes, assignments) {
                membership.setPhase(.loading, of: node)
                guard let connection = membership.connection(of: node) else { continue }
                effects.append(.answer(envelope(.assignment(assignment), epoch: pipeline.epoch), to: connection))
            }
            return effects
        case .serving(let pipeline, let keyValueTokenCapacity):
            replicas[replica].progress.start(pipeline, membership.members)
            let opened = Scheduler.Event.opened(
                stageCount: pipeline.stages.count, keyValueTokenCapacity: keyValueTokenCapacity)
            return noteServing(pipeline, of: replica, at: now) + schedule(opened, on: replica, at: now)
        case .ended(let pipeline, let node, let reason, let isLoss):
            return end(pipeline, of: replica, because: node, reason: reason, isLoss: isLoss, at: now)
        case .prepare(let node, let assignment):
            guard let connection = membership.connection(of: node) else { return [] }
            return [.answer(envelope(.standby(assignment)), to: connection)]
        case .detail(let node, let detail):
            membership.setDetail(detail, of: node)
            return []
        }
    }

    private mutating func end(
        _ pipeline: PlacedPipeline, of replica: Int, because node: NodeID?, reason: String, isLoss: Bool,
        at now: Instant
    ) -> [Effect] {
        for node in pipeline.nodes { membership.setPhase(.joining, of: node) }
        let served = replicas[replica].scheduler.isOpen
        if served { replicas[replica].endedAt = now }
        let ended = Notice.epochEnded(
            pipeline.epoch, node: node, reason: reason,
            openRequestCount: replicas[replica].scheduler.openRequestCount)
        let cause = node.map { "worker \($0): \(reason)" } ?? reason
        let effects = schedule(.closed(because: cause, isLoss: isLoss), on: replica, at: now)
        if served, !isServing {
            // How long another replica has been away says nothing of how long requests have had none.
            for other in replicas.indices where other != replica { replicas[other].scheduler.restartOutage(at: now) }
        }
        return [.notice(ended)] + effects + (served && isLoss ? noteFailure(of: replica, at: now) : [])
    }

    private mutating func noteServing(_ pipeline: PlacedPipeline, of replica: Int, at now: Instant) -> [Effect] {
        let outage = replicas[replica].endedAt?.duration(to: now)
        replicas[replica].endedAt = nil
        let count = replicas[replica].scheduler.interruptedRequestCount
        return [.notice(.serving(pipeline, after: outage, interruptedRequestCount: count))]
    }

    mutating func schedule(_ event: Scheduler.Event, on replica: Int, at now: Instant) -> [Effect] {
        apply(replicas[replica].scheduler.handle(event, at: now), of: replica, at: now)
    }

    mutating func apply(_ effects: [Scheduler.Effect], of replica: Int, at now: Instant) -> [Effect] {
        effects.flatMap { apply($0, of: replica, at: now) }
    }

    private mutating func apply(_ effect: Scheduler.Effect, of replica: Int, at now: Instant) -> [Effect] {
        let pipeline = replicas[replica].placement.pipeline
        switch effect {
        case .send(let step):
            guard let pipeline else { return [] }
            replicas[replica].progress.sentRowCount += UInt64(step.rowCount)
            let nodes = pipeline.entrances.map(\.node)
            return [.sendStep(envelope(.step(step), epoch: pipeline.epoch), step, to: nodes)]
        case .reused(let ticket, let tokenCount): return [.reused(ticket, tokenCount: tokenCount)]
        case .token(let ticket, let choice): return [.token(ticket, choice)]
        case .finished(let ticket, let reason): return [.finished(ticket, reason)]
        case .scored(let ticket, let text): return [.scored(ticket, text)]
        case .failed(let ticket, let error): return [.failed(ticket, error)]
        case .outwaited(let ticket, let limit):
            let problem = unavailability(at: now)
            return [.failed(ticket, .unavailable("waited \(limit.tenths) s for another placement in vain: \(problem)"))]
        case .unexpectedResult:
            drops.count(.unexpectedMessage, from: pipeline?.answering.name ?? "unknown")
            return []
        case .brokenResult(let step, let problem):
            let node = pipeline?.answering
            drops.count(.malformed, from: node?.name ?? "unknown")
            let reason = "its result of step \(step.number) is wrong: \(problem)"
            return place(.stalled(node, reason: reason), in: replica, at: now)
        case .stalled(_, let after):
            return giveUp(replica, after: after, at: now)
        case .lost(let step):
            let reason = "step \(step.number) got lost between two stages"
            return place(.stalled(nil, reason: reason), in: replica, at: now)
        }
    }

    /// No result for too long: a new epoch starts from a clean state.
    private mutating func giveUp(_ replica: Int, after silence: Duration, at now: Instant) -> [Effect] {
        let node = replicas[replica].placement.pipeline.flatMap { pipeline in
            replicas[replica].progress.owingNode(
                of: pipeline, members: membership.members,
                newerRowCount: replicas[replica].scheduler.newerInFlightRowCount)
        }
        let reason = "no result within \(Int(silence.secondCount)) s"
        return place(.stalled(node, reason: reason), in: replica, at: now)
    }

    /// Counts a failure that was the replica's own.
    mutating func noteFailure(of replica: Int, at now: Instant) -> [Effect] {
        guard let backOff = replicas[replica].breaker.noteFailure(at: now) else { return [] }
        return [.notice(.breakerOpened(replica: replica, backOff: backOff))]
    }

    /// Notes that a token has come back through all stages, if one just has.
    mutating func noteSuccess(of replica: Int, at now: Instant) -> [Effect] {
        guard replicas[replica].scheduler.lastTokenPassedHereAt == now, replicas[replica].breaker.noteSuccess() else {
            return []
        }
        return [.notice(.breakerClosed(replica: replica))]
    }
}
