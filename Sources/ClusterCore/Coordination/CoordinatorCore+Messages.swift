import Transport

extension CoordinatorCore {
    mutating func take(_ envelope: Envelope, from connection: Connection, at now: Instant) -> [Effect] {
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
                effects += place(.progressed(node), of: node, at: now)
            }
            return effects + weigh(node, at: now) + noteHeld(by: node, heartbeat, at: now)
                + release(node, at: connection, heartbeat)
        case .leave(let leave):
            return apply(membership.handle(.leave(node, reason: leave.reason, from: connection), at: now), at: now)
        case .ready(let ready):
            guard let replica = replica(sending: envelope, from: connection) else { return [] }
            membership.setPhase(.ready, of: node)
            return [.notice(.stageReady(node, ready))]
                + place(.ready(node, envelope.epoch, ready), in: replica, at: now)
        case .failure(let failure):
            return take(failure, in: envelope, from: connection, at: now)
        case .measurementReport(let report):
            guard membership.connection(of: node) == connection else {
                drops.count(.unknownSender, from: node.name)
                return []
            }
            return apply(survey.handle(.reported(node, report), at: now))
        case .weightsOffer(let offer):
            return take(offer, of: node, from: connection)
        case .welcome, .heartbeatReply, .assignment, .refusal, .keyring, .release, .standby, .step, .stepResult,
            .exchange, .measurementOrder, .linkProbe, .weightsSources, .weightsRequest, .weightsReply:
            drops.count(.unexpectedMessage, from: node.name)
            return []
        }
    }

    /// The replica for which a message comes from a stage of its present epoch, over the stage's present connection;
    /// counts the message if there is none.
    private mutating func replica(sending envelope: Envelope, from connection: Connection) -> Int? {
        let node = envelope.sender
        guard membership.connection(of: node) == connection else {
            drops.count(.unknownSender, from: node.name)
            return nil
        }
        guard let replica = replica(of: envelope.epoch) else {
            drops.count(.olderEpoch, from: node.name)
            return nil
        }
        guard replicas[replica].placement.pipeline?.place(of: node) != nil else {
            // Of another replica, it has to be a message of its own one's epoch.
            drops.count(
                replicas.contains { $0.placement.pipeline?.place(of: node) != nil } ? .olderEpoch : .unexpectedMessage,
                from: node.name)
            return nil
        }
        return replica
    }

    private mutating func take(
        _ failure: WorkerFailure, in envelope: Envelope, from connection: Connection, at now: Instant
    ) -> [Effect] {
        let node = envelope.sender
        if failure.kind == .loading, let team = teams.team(of: node), replicas[team].placement.standby(of: node) != nil
        {
            guard membership.connection(of: node) == connection, let pipeline = replicas[team].placement.pipeline,
                pipeline.epoch <= envelope.epoch
            else { return [] }
            let failed = Placement.Event.standbyFailed(
                node, message: failure.message, isRetryable: failure.isRetryable)
            return [.notice(.loadingFailed(node, reason: failure.message))] + place(failed, in: team, at: now)
        }
        guard let replica = replica(sending: envelope, from: connection) else { return [] }
        switch failure.kind {
        case .loading:
            let failed = Placement.Event.loadingFailed(
                node, envelope.epoch, message: failure.message, isRetryable: failure.isRetryable)
            return [.notice(.loadingFailed(node, reason: failure.message))] + place(failed, in: replica, at: now)
        case .step(let step):
            replicas[replica].progress.isReliable = false
            let error = GenerationError.workerFailed(node: node.name, reason: failure.message)
            // What no other try can mend is the request's own fault. Other ranks and later chunks fail for the same reason.
            let counts = failure.isRetryable && replicas[replica].scheduler.isAwaited(step)
            let effects = schedule(.stepFailed(step, error, isRetryable: failure.isRetryable), on: replica, at: now)
            let isOver = replicas[replica].placement.pipeline?.epoch != envelope.epoch
            return [.notice(.stepFailed(step, node, reason: failure.message))] + effects
                + (counts && !isOver ? noteFailure(of: replica, at: now) : [])
        case .exchange(let step, let silent):
            return takeExchangeFailure(of: step, by: node, with: silent, failure.message, in: replica, at: now)
        }
    }

    /// The nodes are no longer in step, so the epoch is over. The others may say the same of it, or of the one that
    /// accuses: what they say comes in an epoch that is over by then.
    private mutating func takeExchangeFailure(
        of step: StepID, by node: NodeID, with silent: NodeID, _ message: String, in replica: Int, at now: Instant
    ) -> [Effect] {
        guard let pipeline = replicas[replica].placement.pipeline, silent != node,
            let stage = pipeline.place(of: node)?.stage, let silentStage = pipeline.place(of: silent)?.stage,
            (stage...stage + 1).contains(silentStage)
        else {
            drops.count(.malformed, from: node.name)
            return []
        }
        let deed =
            silentStage == stage
            ? "did not give \(node) its part of step \(step.number)" : "did not take step \(step.number) from \(node)"
        return place(.stalled(silent, reason: "it \(deed): \(message)"), in: replica, at: now)
    }

    mutating func takeData(_ envelope: Envelope, at now: Instant) -> [Effect] {
        let node = envelope.sender
        guard case .stepResult(let result) = envelope.body else {
            drops.count(.unexpectedMessage, from: node.name)
            return []
        }
        guard let replica = servingReplica(of: envelope.epoch) else {
            drops.count(membership[node] == nil ? .unknownSender : .olderEpoch, from: node.name)
            return []
        }
        guard replicas[replica].placement.pipeline?.answering == node else {
            drops.count(membership[node] == nil ? .unknownSender : .unexpectedMessage, from: node.name)
            return []
        }
        let effects = schedule(.result(result), on: replica, at: now)
        return effects + noteSuccess(of: replica, at: now)
    }

    mutating func noteNotSent(
        _ step: StepID, in epoch: Epoch, to node: NodeID, _ error: LinkError, at now: Instant
    ) -> [Effect] {
        guard let replica = servingReplica(of: epoch), let pipeline = replicas[replica].placement.pipeline else {
            return []
        }
        // Once another rank has the step, the ranks are no longer in step.
        if case .refused(let problem) = error, node == pipeline.entrances[0].node {
            replicas[replica].progress.isReliable = false
            return schedule(
                .stepFailed(step, .invalidRequest(problem), isRetryable: false), on: replica, at: now)
        }
        return place(.stalled(node, reason: error.description), in: replica, at: now)
    }
}
