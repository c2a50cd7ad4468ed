import Transport

extension CoordinatorCore {
    /// Whether a token has passed through every stage of a replica within the last two probe intervals, and if not, why
    /// not.
    public func readiness(at now: Instant) -> (isReady: Bool, reason: String) {
        if let reason = shutdownReason(at: now) { return (false, reason) }
        let all = replicas.map { $0.readiness(at: now) }
        if all.contains(where: \.isReady) { return (true, "") }
        return (false, all.indices.map { label($0) + all[$0].reason }.joined(separator: "; "))
    }

    /// What is known of the cluster. `linkDropCount` is how many frames the links refused.
    public func health(at now: Instant, linkDropCount: UInt64 = 0) -> ClusterHealth {
        let (state, reason) = verdict(at: now)
        let schedulers = replicas.map(\.scheduler)
        func sum(_ count: (Scheduler) -> Int) -> Int { schedulers.reduce(0) { $0 + count($1) } }
        var health = ClusterHealth(
            clusterID: configuration.clusterID, model: configuration.modelName, state: state, reason: reason,
            epoch: replicas.compactMap { $0.placement.pipeline?.epoch.number }.max() ?? 0,
            secondsSinceLastToken: schedulers.compactMap(\.lastTokenPassedAt).max()
                .map { $0.duration(to: now).secondCount },
            runningRequestCount: sum(\.runningRequestCount), queuedRequestCount: sum(\.queuedRequestCount),
            interruptedRequestCount: sum(\.interruptedRequestCount), queueLimit: configuration.scheduler.queueLimit,
            tokensPerSecond: schedulers.reduce(0) { $0 + $1.tokensPerSecond(at: now) },
            droppedFrameCount: linkDropCount + drops.total,
            nodes: membership.members.map { self.health(of: $0, at: now) })
        health.measuring = measuringHealth
        health.keptTokenCount = sum(\.keptTokenCount)
        health.reusedTokenCount = replicas.reduce(0) { $0 + $1.scheduler.reusedTokenCount }
        health.replicas = replicas.map { $0.health(at: now) }
        return health
    }

    private func verdict(at now: Instant) -> (ClusterHealth.State, String) {
        if let reason = shutdownReason(at: now) { return (.down, reason) }
        guard isServing else {
            let isAwaited = isRecovering || replicas.contains { $0.scheduler.queuedRequestCount > 0 }
            return (isAwaited ? .recovering : .down, readiness(at: now).reason)
        }
        let unready = replicas.indices.compactMap { index -> String? in
            let (isReady, reason) = replicas[index].readiness(at: now)
            return isReady ? nil : label(index) + (replicas.count > 1 ? "down: " : "") + reason
        }
        if !unready.isEmpty { return (.degraded, unready.joined(separator: "; ")) }
        let suspects = membership.members.filter { if case .suspect = $0.state { true } else { false } }
        if let suspect = suspects.first {
            return (
                .degraded, "worker \(suspect.node) has been silent for \(suspect.lastHeard.duration(to: now).tenths) s"
            )
        }
        let problems = replicas.indices.compactMap { index in
            replicas[index].problem(at: now).map { label(index) + $0 }
        }
        return problems.isEmpty ? (.healthy, "") : (.degraded, problems.joined(separator: "; "))
    }

    private func health(of member: Member, at now: Instant) -> NodeHealth {
        let team = member.isPresent ? teams.team(of: member.node) : nil
        let placement = team.map { replicas[$0].placement }
        let pipeline = placement?.pipeline
        let place = pipeline?.place(of: member.node)
        let stage = place.flatMap { pipeline?.stages[$0.stage] }
        let heads = place.flatMap { stage?.ranks[$0.rank].share.keyValueHeads }
        let heartbeat = member.lastHeartbeat
        var health = NodeHealth(
            name: member.node.name, state: state(of: member), detail: member.detail,
            processID: member.hello.processID, cpu: member.hello.cpuModel,
            instructionSet: member.hello.instructionSet, threadCount: member.hello.threadCount,
            memoryUsedByteCount: heartbeat?.memoryUsedByteCount ?? 0,
            memoryFreeByteCount: heartbeat?.memoryFreeByteCount ?? member.hello.memoryFreeByteCount,
            epoch: place.flatMap { _ in pipeline?.epoch.number }, stage: place?.stage, rank: place?.rank,
            firstLayer: stage?.layers.lowerBound,
            endLayer: stage?.layers.upperBound, firstKeyValueHead: heads?.lowerBound,
            endKeyValueHead: heads?.upperBound,
            keyValueTokenCount: heartbeat?.keyValueTokenCount ?? 0,
            keyValueTokenCapacity: heartbeat?.keyValueTokenCapacity ?? 0,
            secondsSinceHeartbeat: member.lastHeard.duration(to: now).secondCount,
            roundTripMilliseconds: heartbeat?.roundTrip.map { $0.secondCount * 1000 },
            tokensPerSecond: member.tokensPerSecond, droppedFrameCount: heartbeat?.droppedFrameCount ?? 0)
        health.rates = member.isPresent ? survey.rates(of: member.node) : nil
        health.standby = placement?.standby(of: member.node)
        health.replica = team
        health.secondsUntilRetry = placement?.retryTime(of: member.node).map {
            max(0, now.duration(to: $0).secondCount)
        }
        if let problem = health.standby?.problem, !problem.isEmpty, health.detail.isEmpty {
            health.detail = "stays cold: \(problem)"
        }
        if member.phase == .loading, let loading = heartbeat?.loading {
            (health.loadedByteCount, health.neededByteCount) = (loading.doneByteCount, loading.byteCount)
        }
        health.fetchedByteCount = heartbeat?.fetchedByteCount ?? 0
        health.fetchedFromWorkersByteCount = heartbeat?.fetchedFromWorkersByteCount ?? 0
        return health
    }

    private func state(of member: Member) -> NodeHealth.State {
        guard case .live(let phase) = member.state else { return NodeHealth.State(member.state) }
        if drained.contains(member.node) { return isDraining(member.node) ? .draining : .drained }
        let isSpare = teams.team(of: member.node).map { replicas[$0].placement.isSpare(member.node) } ?? false
        return phase == .joining && isSpare ? .spare : NodeHealth.State(member.state)
    }
}

extension Replica {
    /// What is amiss although it serves; nil if nothing is.
    fileprivate func problem(at now: Instant) -> String? {
        if let problem = placement.problem(at: now) { return problem }
        switch breaker.state {
        case .closed: return nil
        case .open: return "it has failed several times; its circuit breaker is open"
        case .halfOpen: return "it has failed several times; its circuit breaker is half-open"
        }
    }

    fileprivate func health(at now: Instant) -> ReplicaHealth {
        let (isReady, reason) = readiness(at: now)
        let outstanding = scheduler.outstanding
        return ReplicaHealth(
            state: placement.isServing ? .serving : placement.pipeline == nil ? .waiting : .loading,
            isReady: isReady, reason: isReady ? placement.problem(at: now) ?? "" : reason,
            epoch: placement.pipeline?.epoch.number, breaker: breaker.state,
            runningRequestCount: scheduler.runningRequestCount, queuedRequestCount: scheduler.queuedRequestCount,
            outstandingPromptTokenCount: outstanding.knownCount, outstandingNewTokenCount: outstanding.newCount,
            tokensPerSecond: scheduler.tokensPerSecond(at: now))
    }
}

extension NodeHealth.State {
    init(_ state: Member.State) {
        self =
            switch state {
            case .live(.joining): .joining
            case .live(.loading): .loading
            case .live(.ready): .ready
            case .suspect: .suspect
            case .lost: .lost
            case .left: .left
            }
    }
}
