import Transport

/// All that the coordinator decides: membership, placement and scheduling, and how they act on each other.
///
/// A shell feeds it messages, requests and the time, and does what its effects say, in their order. `Connection` is what
/// control messages come from and are answered to.
public struct CoordinatorCore<Connection: Hashable & Sendable>: Sendable {
    public let configuration: CoordinationConfiguration
    public private(set) var membership: Membership<Connection>
    public internal(set) var placement: Placement
    public private(set) var scheduler: Scheduler
    public internal(set) var survey: Survey
    /// Frames that were refused here; those that the links refused are not among them.
    public internal(set) var drops = DropCounters()
    private var progress = StageProgress()
    /// When the pipeline ended that the next one to serve replaces.
    private var endedAt: Instant?
    /// The revision of the survey that placement has.
    private var plannedRevision = 0
    /// Nil until the cluster is to end.
    var shutdown: Shutdown?

    /// - Throws: `PlanningError` if the layers that the operator gave to workers do not fit the model.
    public init(configuration: CoordinationConfiguration) throws(PlanningError) {
        self.configuration = configuration
        membership = Membership(configuration: configuration.membership)
        placement = try Placement(configuration: configuration.placement)
        scheduler = Scheduler(configuration: configuration.scheduler)
        survey = Survey(measuresLinksByItself: configuration.measuresLinks)
    }

    /// When `tick` has something to do next, if nothing else happens.
    public var nextDeadline: Instant? {
        [
            membership.nextDeadline, placement.nextDeadline, scheduler.nextDeadline, survey.nextDeadline,
            rebalancingDeadline, shutdown?.deadline,
        ].compactMap(\.self).min()
    }

    public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
        decide(event, at: now) + apply(survey.handle(.proceed(activity), at: now)) + plan(at: now)
            + bringIn(at: now) + proceedWithShutdown(at: now)
    }

    private mutating func decide(_ event: Event, at now: Instant) -> [Effect] {
        switch event {
        case .control(let envelope, let connection):
            return take(envelope, from: connection, at: now)
        case .otherVersion(let theirs, let node, let connection):
            let reason =
                "\(node) speaks protocol version \(theirs), this cluster \(Envelope.protocolVersion); "
                + "install the same release on all machines"
            drops.count(.otherVersion, from: node.name)
            return refuse(node, connection, reason: reason)
        case .keysChanged(let keyring, let revoked):
            let effects = revoked.flatMap { apply(membership.handle(.revoked($0), at: now), at: now) }
            return effects
                + membership.members.compactMap { membership.connection(of: $0.node) }.map { connection in
                    .answer(envelope(.keyring(keyring)), to: connection)
                }
        case .closed(let node, let connection):
            return apply(membership.handle(.closed(node, connection), at: now), at: now)
        case .data(let envelope):
            return takeData(envelope, at: now)
        case .stepNotSent(let step, let epoch, let node, let error):
            return noteNotSent(step, in: epoch, to: node, error, at: now)
        case .restored(let ticket, let work, let committed):
            return apply(placement.handle(.continued, at: now), at: now)
                + schedule(.restored(ticket, work, committed: committed), at: now)
        case .submitted(let ticket, let work, let committed):
            if shutdown != nil { return [.failed(ticket, .shuttingDown)] }
            guard placement.isServing || isRecovering else {
                return [.failed(ticket, .unavailable(placement.problem(at: now) ?? "no pipeline is ready"))]
            }
            return schedule(.submitted(ticket, work, committed: committed), at: now)
        case .cancelled(let ticket):
            return schedule(.cancelled(ticket), at: now)
        case .operation(let operation):
            return operate(operation, at: now)
        case .tick:
            let members = apply(membership.handle(.tick, at: now), at: now)
            let places = apply(placement.handle(.tick, at: now), at: now)
            return members + places + schedule(.tick, at: now)
        }
    }
}

extension CoordinatorCore {
    /// Gives placement what there is to plan with, once nothing is left to be measured.
    private mutating func plan(at now: Instant) -> [Effect] {
        guard configuration.placement.planning != nil, survey.revision != plannedRevision, survey.pendingCount == 0
        else { return [] }
        plannedRevision = survey.revision
        return apply(placement.handle(.measured(planningInput.measurements), at: now), at: now)
    }

    /// Handles an event and all that follows from it, in order. Steps of an epoch that ends on the way are dropped: to
    /// offer each to a stage that takes nothing would hold up everything else.
    ///
    /// - Parameter perform: does what an effect says; returns what that led to, if it matters here.
    public mutating func run(_ event: Event, at now: () -> Instant, perform: (Effect) -> Event?) {
        var effects = handle(event, at: now())
        var next = 0
        while next < effects.count {
            let effect = effects[next]
            next += 1
            if case .sendStep(let envelope, _, _) = effect, !isServing(envelope.epoch) { continue }
            if let event = perform(effect) { effects += handle(event, at: now()) }
        }
    }

    /// Whether a pipeline is being loaded that takes over from another one.
    var isRecovering: Bool { scheduler.isInterrupted && placement.pipeline != nil }

    private func isServing(_ epoch: Epoch) -> Bool { placement.isServing && placement.pipeline?.epoch == epoch }
}

extension CoordinatorCore {
    func envelope(_ body: Envelope.Body, epoch: Epoch? = nil) -> Envelope {
        Envelope(
            clusterID: configuration.clusterID, epoch: epoch ?? placement.epoch, sender: .coordinator, body: body)
    }

    private func refuse(_ node: NodeID, _ connection: Connection, reason: String) -> [Effect] {
        [
            .answer(envelope(.refusal(Refusal(reason: reason))), to: connection),
            .notice(.refused(node, reason: reason)),
        ]
    }

    private mutating func take(_ envelope: Envelope, from connection: Connection, at now: Instant) -> [Effect] {
        let node = envelope.sender
        guard envelope.clusterID == configuration.clusterID else {
            drops.count(.otherCluster, from: node.name)
            guard case .hello = envelope.body else { return [] }
            let reason = "this is cluster \(configuration.clusterID), not \(envelope.clusterID); check the address"
            return refuse(node, connection, reason: reason)
        }
        switch envelope.body {
        case .hello(let hello):
            return apply(membership.handle(.hello(node, hello, from: connection), at: now), at: now)
        case .heartbeat(let heartbeat):
            let loading = membership[node]?.lastHeartbeat?.loading
            var effects = apply(membership.handle(.heartbeat(node, heartbeat, from: connection), at: now), at: now)
            if let progress = membership[node]?.lastHeartbeat?.loading, progress != loading {
                effects += apply(placement.handle(.progressed(node), at: now), at: now)
            }
            return effects + weigh(node, at: now) + noteHeld(by: node, heartbeat, at: now)
                + release(node, at: connection, heartbeat)
        case .leave(let leave):
            return apply(membership.handle(.leave(node, reason: leave.reason, from: connection), at: now), at: now)
        case .ready(let ready):
            guard isCurrent(envelope, from: connection) else { return [] }
            let effects = placement.handle(.ready(node, envelope.epoch, ready), at: now)
            membership.setPhase(.ready, of: node)
            return [.notice(.stageReady(node, ready))] + apply(effects, at: now)
        case .failure(let failure) where failure.kind == .loading && placement.standby(of: node) != nil:
            guard membership.connection(of: node) == connection, placement.epoch == envelope.epoch else { return [] }
            let effects = placement.handle(
                .standbyFailed(node, message: failure.message, isRetryable: failure.isRetryable), at: now)
            return [.notice(.loadingFailed(node, reason: failure.message))] + apply(effects, at: now)
        case .failure(let failure):
            guard isCurrent(envelope, from: connection) else { return [] }
            return take(failure, of: node, in: envelope.epoch, at: now)
        case .measurementReport(let report):
            guard membership.connection(of: node) == connection else {
                drops.count(.unknownSender, from: node.name)
                return []
            }
            return apply(survey.handle(.reported(node, report), at: now))
        case .welcome, .heartbeatReply, .assignment, .refusal, .keyring, .release, .standby, .step, .stepResult,
            .exchange, .measurementOrder, .linkProbe, .weightsRequest, .weightsReply:
            drops.count(.unexpectedMessage, from: node.name)
            return []
        }
    }

    /// Whether a message comes from a stage of the current epoch over its present connection; counts it if not.
    private mutating func isCurrent(_ envelope: Envelope, from connection: Connection) -> Bool {
        let node = envelope.sender
        if membership.connection(of: node) != connection {
            drops.count(.unknownSender, from: node.name)
        } else if placement.pipeline?.epoch != envelope.epoch {
            drops.count(.olderEpoch, from: node.name)
        } else if placement.pipeline?.place(of: node) == nil {
            drops.count(.unexpectedMessage, from: node.name)
        } else {
            return true
        }
        return false
    }

    private mutating func take(
        _ failure: WorkerFailure, of node: NodeID, in epoch: Epoch, at now: Instant
    ) -> [Effect] {
        switch failure.kind {
        case .loading:
            let effects = placement.handle(
                .loadingFailed(node, epoch, message: failure.message, isRetryable: failure.isRetryable), at: now)
            return [.notice(.loadingFailed(node, reason: failure.message))] + apply(effects, at: now)
        case .step(let step):
            progress.isReliable = false
            let error = GenerationError.workerFailed(node: node.name, reason: failure.message)
            return [.notice(.stepFailed(step, node, reason: failure.message))]
                + schedule(.stepFailed(step, error, isRetryable: failure.isRetryable), at: now)
        case .exchange(let step, let silent):
            return takeExchangeFailure(of: step, by: node, with: silent, failure.message, at: now)
        }
    }

    /// The nodes are no longer in step, so the epoch is over. The others may say the same of it, or of the one that
    /// accuses: what they say comes in an epoch that is over by then.
    private mutating func takeExchangeFailure(
        of step: StepID, by node: NodeID, with silent: NodeID, _ message: String, at now: Instant
    ) -> [Effect] {
        guard let pipeline = placement.pipeline, silent != node, let stage = pipeline.place(of: node)?.stage,
            let silentStage = pipeline.place(of: silent)?.stage, (stage...stage + 1).contains(silentStage)
        else {
            drops.count(.malformed, from: node.name)
            return []
        }
        let deed =
            silentStage == stage
            ? "did not give \(node) its part of step \(step.number)" : "did not take step \(step.number) from \(node)"
        return apply(placement.handle(.stalled(silent, reason: "it \(deed): \(message)"), at: now), at: now)
    }

    private mutating func takeData(_ envelope: Envelope, at now: Instant) -> [Effect] {
        let node = envelope.sender
        guard case .stepResult(let result) = envelope.body else {
            drops.count(.unexpectedMessage, from: node.name)
            return []
        }
        guard placement.isServing, let pipeline = placement.pipeline, pipeline.epoch == envelope.epoch else {
            drops.count(membership[node] == nil ? .unknownSender : .olderEpoch, from: node.name)
            return []
        }
        guard pipeline.answering == node else {
            drops.count(membership[node] == nil ? .unknownSender : .unexpectedMessage, from: node.name)
            return []
        }
        return schedule(.result(result), at: now)
    }

    private mutating func noteNotSent(
        _ step: StepID, in epoch: Epoch, to node: NodeID, _ error: LinkError, at now: Instant
    ) -> [Effect] {
        guard let pipeline = placement.pipeline, pipeline.epoch == epoch, placement.isServing else { return [] }
        // Once another rank has the step, the ranks are no longer in step.
        if case .refused(let problem) = error, node == pipeline.entrances[0].node {
            progress.isReliable = false
            return schedule(.stepFailed(step, .invalidRequest(problem), isRetryable: false), at: now)
        }
        return apply(placement.handle(.stalled(node, reason: error.description), at: now), at: now)
    }
}

extension CoordinatorCore {
    /// Tells the placement what a worker has loaded.
    private mutating func noteHeld(by node: NodeID, _ heartbeat: Heartbeat, at now: Instant) -> [Effect] {
        guard !placement.holds(node, heartbeat.heldPart), membership[node]?.isPresent == true else { return [] }
        return apply(placement.handle(.holds(node, part: heartbeat.heldPart), at: now), at: now)
    }

    private mutating func apply(_ effects: [Membership<Connection>.Effect], at now: Instant) -> [Effect] {
        effects.flatMap { apply($0, at: now) }
    }

    private mutating func apply(_ effect: Membership<Connection>.Effect, at now: Instant) -> [Effect] {
        switch effect {
        case .welcome(_, let connection):
            let welcome = Welcome(
                heartbeatInterval: configuration.heartbeatInterval, dataEndpoint: configuration.dataEndpoint,
                weightsEndpoint: configuration.weightsEndpoint)
            return [.answer(envelope(.welcome(welcome)), to: connection)]
        case .refuse(let node, let connection, let reason):
            return refuse(node, connection, reason: reason)
        case .acknowledge(_, let connection, let number):
            return [.answer(envelope(.heartbeatReply(HeartbeatReply(number: number))), to: connection)]
        case .ask(let node, let connection):
            // Says again what it knows already.
            let reply = HeartbeatReply(number: membership[node]?.lastHeartbeat?.number ?? 0)
            return [.answer(envelope(.heartbeatReply(reply)), to: connection)]
        case .joined(let node):
            guard let hello = membership[node]?.hello else { return [] }
            let peer = Peer(node: node, dataEndpoint: hello.dataEndpoint, hostID: hello.hostID)
            _ = survey.handle(.joined(peer, hello), at: now)
            return [.notice(.joined(node, hello))]
                + apply(placement.handle(.joined(peer, heldPart: hello.heldPart), at: now), at: now)
                + weigh(node, at: now) + lateFarewell(to: node)
        case .returned(let node):
            guard let hello = membership[node]?.hello else { return [] }
            let peer = Peer(node: node, dataEndpoint: hello.dataEndpoint, hostID: hello.hostID)
            _ = survey.handle(.returned(peer), at: now)
            return apply(placement.handle(.returned(peer), at: now), at: now)
        case .suspected(let node, let silence):
            return [.notice(.suspected(node, silence: silence))]
        case .recovered(let node):
            return [.notice(.recovered(node))]
        case .lost(let node, let reason):
            _ = survey.handle(.gone(node), at: now)
            return [.notice(.lost(node, reason: reason))]
                + apply(placement.handle(.gone(node, reason: reason), at: now), at: now)
        case .left(let node, let reason):
            _ = survey.handle(.gone(node), at: now)
            return [.notice(.left(node, reason: reason))]
                + apply(placement.handle(.gone(node, reason: "it left: \(reason)"), at: now), at: now)
        case .ignored(let node):
            drops.count(.unknownSender, from: node.name)
            return []
        }
    }

    /// Tells the placement what memory a worker has.
    private mutating func weigh(_ node: NodeID, at now: Instant) -> [Effect] {
        guard let availableByteCount = membership[node]?.availableByteCount else { return [] }
        return apply(placement.handle(.memory(node, availableByteCount: availableByteCount), at: now), at: now)
    }

    mutating func apply(_ effects: [Placement.Effect], at now: Instant) -> [Effect] {
        effects.flatMap { apply($0, at: now) }
    }

    private mutating func apply(_ effect: Placement.Effect, at now: Instant) -> [Effect] {
        switch effect {
        case .opened(let pipeline, let assignments):
            var effects: [Effect] = [.notice(.epochOpened(pipeline)), .connect(pipeline.entrances)]
            effects += schedule(.loading, at: now)
            for (node, assignment) in zip(pipeline.nodes, assignments) {
                membership.setPhase(.loading, of: node)
                guard let connection = membership.connection(of: node) else { continue }
                effects.append(.answer(envelope(.assignment(assignment), epoch: pipeline.epoch), to: connection))
            }
            return effects
        case .serving(let pipeline, let keyValueTokenCapacity):
            progress.start(pipeline, membership.members)
            return noteServing(pipeline, at: now)
                + schedule(
                    .opened(stageCount: pipeline.stages.count, keyValueTokenCapacity: keyValueTokenCapacity), at: now)
        case .ended(let pipeline, let node, let reason, let isLoss):
            for node in pipeline.nodes { membership.setPhase(.joining, of: node) }
            let cause = node.map { "worker \($0): \(reason)" } ?? reason
            return noteEnded(pipeline, because: node, reason: reason, at: now)
                + schedule(.closed(because: cause, isLoss: isLoss), at: now)
        case .prepare(let node, let assignment):
            guard let connection = membership.connection(of: node) else { return [] }
            return [.answer(envelope(.standby(assignment)), to: connection)]
        case .detail(let node, let detail):
            membership.setDetail(detail, of: node)
            return []
        }
    }

    private mutating func noteEnded(
        _ pipeline: PlacedPipeline, because node: NodeID?, reason: String, at now: Instant
    ) -> [Effect] {
        if scheduler.isOpen { endedAt = now }
        return [
            .notice(
                .epochEnded(
                    pipeline.epoch, node: node, reason: reason,
                    openRequestCount: scheduler.openRequestCount))
        ]
    }

    private mutating func noteServing(_ pipeline: PlacedPipeline, at now: Instant) -> [Effect] {
        let outage = endedAt?.duration(to: now)
        endedAt = nil
        return [
            .notice(.serving(pipeline, after: outage, interruptedRequestCount: scheduler.interruptedRequestCount))
        ]
    }

    private mutating func schedule(_ event: Scheduler.Event, at now: Instant) -> [Effect] {
        scheduler.handle(event, at: now).flatMap { apply($0, at: now) }
    }

    private mutating func apply(_ effect: Scheduler.Effect, at now: Instant) -> [Effect] {
        switch effect {
        case .send(let step):
            guard let pipeline = placement.pipeline else { return [] }
            progress.sentRowCount += UInt64(step.rowCount)
            let nodes = pipeline.entrances.map(\.node)
            return [.sendStep(envelope(.step(step), epoch: pipeline.epoch), step, to: nodes)]
        case .reused(let ticket, let tokenCount): return [.reused(ticket, tokenCount: tokenCount)]
        case .token(let ticket, let choice): return [.token(ticket, choice)]
        case .finished(let ticket, let reason): return [.finished(ticket, reason)]
        case .scored(let ticket, let text): return [.scored(ticket, text)]
        case .failed(let ticket, let error): return [.failed(ticket, error)]
        case .outwaited(let ticket, let limit):
            let problem = placement.problem(at: now) ?? "no pipeline is ready"
            return [.failed(ticket, .unavailable("waited \(limit.tenths) s for another placement in vain: \(problem)"))]
        case .unexpectedResult:
            drops.count(.unexpectedMessage, from: placement.pipeline?.answering.name ?? "unknown")
            return []
        case .brokenResult(let step, let problem):
            let node = placement.pipeline?.answering
            drops.count(.malformed, from: node?.name ?? "unknown")
            let reason = "its result of step \(step.number) is wrong: \(problem)"
            return apply(placement.handle(.stalled(node, reason: reason), at: now), at: now)
        case .stalled(_, let after):
            return giveUp(after: after, at: now)
        case .lost(let step):
            let reason = "step \(step.number) got lost between two stages"
            return apply(placement.handle(.stalled(nil, reason: reason), at: now), at: now)
        }
    }

    /// No result for too long: a new epoch starts from a clean state.
    private mutating func giveUp(after silence: Duration, at now: Instant) -> [Effect] {
        let node = placement.pipeline.flatMap { pipeline in
            progress.owingNode(
                of: pipeline, members: membership.members, newerRowCount: scheduler.newerInFlightRowCount)
        }
        let reason = "no result within \(Int(silence.secondCount)) s"
        return apply(placement.handle(.stalled(node, reason: reason), at: now), at: now)
    }
}
