import ClusterCore
import Transport
import WorkerRuntime

/// What has to be well in the end.
extension SimulatedCluster {
    /// Looks whether everything is as it has to be some time after faults have stopped.
    func inspect() {
        let referee = world.referee
        askOnceMore()
        let isAnswered = lastClient.map { referee.answers.ending(of: $0.request) == .complete } ?? false
        let problem = isAnswered ? remains : nil
        if isAnswered, referee.answers.open.isEmpty, problem == nil {
            isOver = true
            return
        }
        guard world.plan.calmAt.duration(to: world.now) < Self.recoveryLimit else {
            if let open = referee.answers.open.first, open != lastClient?.request {
                referee.violate(.ends, "request \(open.number) has not ended", at: world.now)
            } else if let problem {
                referee.violate(.memory, problem, at: world.now)
            } else {
                let reason = coordinator?.core.readiness(at: world.machines[0].clock.reading(at: world.now)).reason
                referee.violate(.service, "no request was answered: \(reason ?? "no coordinator")", at: world.now)
            }
            return
        }
        world.timeline.schedule(.inspection, after: .milliseconds(500))
    }

    /// Asks for something, until it is answered.
    private func askOnceMore() {
        guard let coordinator, coordinator.core.isServing else { return }
        if let lastClient {
            guard case .failed(let error) = world.referee.answers.ending(of: lastClient.request) else { return }
            guard error.isRetryable else {
                return world.referee.violate(.service, "a request failed without faults: \(error)", at: world.now)
            }
        }
        let work = PlannedRequest.last(contextLength: coordinator.core.configuration.scheduler.contextLength)
        let client = SimulatedClient(work, isStreamed: false, in: world)
        lastClient = client
        hand(client)
    }

    /// What is held although nothing is asked for, and is not kept for later requests; nil if that is nothing.
    private var remains: String? {
        guard let core = coordinator?.core else { return "there is no coordinator" }
        guard core.isServing else { return "nothing is placed" }
        if let node = core.drained.first { return "\(node) is still drained" }
        for (index, replica) in core.replicas.enumerated() {
            if let remains = remains(of: replica) { return "replica \(index): \(remains)" }
        }
        return nil
    }

    private func remains(of replica: Replica) -> String? {
        let scheduler = replica.scheduler
        if scheduler.openRequestCount > 0 { return "\(scheduler.openRequestCount) requests are open in the scheduler" }
        if scheduler.reservedTokenCount > 0 { return "\(scheduler.reservedTokenCount) KV tokens are reserved" }
        if scheduler.inFlightStepCount > 0 { return "\(scheduler.inFlightStepCount) steps are in flight" }
        guard let pipeline = replica.placement.pipeline, replica.placement.isServing else { return nil }
        for node in pipeline.nodes {
            guard let machine = world.machines.first(where: { $0.node == node }), let worker = workers[machine.index],
                let stage = worker.compute?.stage
            else { return "\(node) has no stage" }
            // Besides what is kept of requests that have ended.
            if stage.keyValueTokenCount != scheduler.keptTokenCount
                || stage.heldSequenceCount != scheduler.keptSequenceCount
            {
                return
                    "\(node) holds \(stage.keyValueTokenCount) KV tokens of \(stage.heldSequenceCount) sequences, but "
                    + "\(scheduler.keptTokenCount) of \(scheduler.keptSequenceCount) are kept"
            }
            if !worker.unsent.isEmpty { return "\(node) has \(worker.unsent.count) reports that it could not send" }
        }
        return coldSpare(of: replica.placement)
    }

    /// A spare that is to have something ready and has not.
    private func coldSpare(of placement: Placement) -> String? {
        guard placement.configuration.keepsSparesWarm else { return nil }
        let cold = world.machines.first { machine in
            placement.isSpare(machine.node) && placement.standby(of: machine.node)?.isWarm != true
        }
        return cold.map { "\($0.node) is a spare, but not warm" }
    }

    var report: SimulationReport {
        let answers = world.referee.answers
        return SimulationReport(
            seed: world.plan.seed, faults: world.network.struck,
            virtualSeconds: Double(world.now.nanoseconds) / 1e9,
            recoverySeconds: isOver ? world.plan.calmAt.duration(to: world.now).secondCount : nil,
            messageCount: world.network.messageCount, tokenCount: answers.tokenCount,
            reusedTokenCount: answers.reusedTokenCount, resumedCount: answers.resumedCount,
            completeCount: answers.count { $0 == .complete },
            failedCount: answers.count { if case .failed = $0 { true } else { false } },
            abandonedCount: answers.count { $0 == .abandoned },
            epochCount: world.referee.placements.openedCount, digest: world.trace.digest,
            violation: world.referee.violation, lastEvents: world.referee.violation == nil ? [] : world.trace.lines)
    }
}
