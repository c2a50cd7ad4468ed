import Transport

extension CoordinatorCore {
    /// Whether a token has passed through every stage within the last two probe intervals, and if not, why not.
    public func readiness(at now: Instant) -> (isReady: Bool, reason: String) {
        if let reason = shutdownReason(at: now) { return (false, reason) }
        guard placement.isServing else { return (false, placement.problem(at: now) ?? "no pipeline is ready") }
        guard let last = scheduler.lastTokenPassedHereAt else {
            return (false, "no token has passed through all stages yet")
        }
        let age = last.duration(to: now)
        guard age <= configuration.scheduler.probeInterval * 2 else {
            return (false, "no token has passed through all stages for \(age.tenths) s")
        }
        return (true, "")
    }

    /// What is known of the cluster. `linkDropCount` is how many frames the links refused.
    public func health(at now: Instant, linkDropCount: UInt64 = 0) -> ClusterHealth {
        let (state, reason) = verdict(at: now)
        var health = ClusterHealth(
            clusterID: configuration.clusterID, model: configuration.modelName, state: state, reason: reason,
            epoch: placement.pipeline?.epoch.number ?? 0,
            secondsSinceLastToken: scheduler.lastTokenPassedAt.map { $0.duration(to: now).secondCount },
            runningRequestCount: scheduler.runningRequestCount, queuedRequestCount: scheduler.queuedRequestCount,
            interruptedRequestCount: scheduler.interruptedRequestCount, queueLimit: configuration.scheduler.queueLimit,
            tokensPerSecond: scheduler.tokensPerSecond(at: now),
            droppedFrameCount: linkDropCount + drops.total,
            nodes: membership.members.map { self.health(of: $0, at: now) })
        health.measuring = measuringHealth
        health.keptTokenCount = scheduler.keptTokenCount
        health.reusedTokenCount = scheduler.reusedTokenCount
        return health
    }

    private func verdict(at now: Instant) -> (ClusterHealth.State, String) {
        if let reason = shutdownReason(at: now) { return (.down, reason) }
        guard placement.isServing else {
            let isAwaited = isRecovering || scheduler.queuedRequestCount > 0
            return (isAwaited ? .recovering : .down, readiness(at: now).reason)
        }
        let (isReady, reason) = readiness(at: now)
        guard isReady else { return (.degraded, reason) }
        let suspects = membership.members.filter { if case .suspect = $0.state { true } else { false } }
        if let suspect = suspects.first {
            return (
                .degraded, "worker \(suspect.node) has been silent for \(suspect.lastHeard.duration(to: now).tenths) s"
            )
        }
        guard let problem = placement.problem(at: now) else { return (.healthy, "") }
        return (.degraded, problem)
    }

    private func health(of member: Member, at now: Instant) -> NodeHealth {
        let place = member.isPresent ? placement.pipeline?.place(of: member.node) : nil
        let stage = place.flatMap { placement.pipeline?.stages[$0.stage] }
        let heads = place.flatMap { stage?.ranks[$0.rank].share.keyValueHeads }
        let heartbeat = member.lastHeartbeat
        var health = NodeHealth(
            name: member.node.name, state: state(of: member), detail: member.detail,
            processID: member.hello.processID, cpu: member.hello.cpuModel,
            instructionSet: member.hello.instructionSet, threadCount: member.hello.threadCount,
            memoryUsedByteCount: heartbeat?.memoryUsedByteCount ?? 0,
            memoryFreeByteCount: heartbeat?.memoryFreeByteCount ?? member.hello.memoryFreeByteCount,
            epoch: place.flatMap { _ in placement.pipeline?.epoch.number }, stage: place?.stage, rank: place?.rank,
            firstLayer: stage?.layers.lowerBound,
            endLayer: stage?.layers.upperBound, firstKeyValueHead: heads?.lowerBound,
            endKeyValueHead: heads?.upperBound,
            keyValueTokenCount: heartbeat?.keyValueTokenCount ?? 0,
            keyValueTokenCapacity: heartbeat?.keyValueTokenCapacity ?? 0,
            secondsSinceHeartbeat: member.lastHeard.duration(to: now).secondCount,
            roundTripMilliseconds: heartbeat?.roundTrip.map { $0.secondCount * 1000 },
            tokensPerSecond: member.tokensPerSecond, droppedFrameCount: heartbeat?.droppedFrameCount ?? 0)
        health.rates = member.isPresent ? survey.rates(of: member.node) : nil
        health.standby = member.isPresent ? placement.standby(of: member.node) : nil
        if let problem = health.standby?.problem, !problem.isEmpty, health.detail.isEmpty {
            health.detail = "stays cold: \(problem)"
        }
        if member.phase == .loading, let loading = heartbeat?.loading {
            (health.loadedByteCount, health.neededByteCount) = (loading.doneByteCount, loading.byteCount)
        }
        health.fetchedByteCount = heartbeat?.fetchedByteCount ?? 0
        return health
    }

    private func state(of member: Member) -> NodeHealth.State {
        guard case .live(let phase) = member.state else { return NodeHealth.State(member.state) }
        if placement.isDrained(member.node) { return isDraining(member.node) ? .draining : .drained }
        return phase == .joining && placement.isSpare(member.node) ? .spare : NodeHealth.State(member.state)
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
