import Transport

extension CoordinatorCore {
    /// Has every worker and every link measured anew, one after the other, from the next event on.
    ///
    /// - Returns: how many measurements that are.
    /// - Throws: a refusal with its reason while requests run or wait, workers load, or something is being measured.
    public mutating func requestMeasurement() throws(MeasuringRefusal) -> Int {
        guard membership.members.contains(where: \.isPresent) else {
            throw MeasuringRefusal("no worker is there to measure; start one")
        }
        if openRequestCount > 0 {
            let runningCount = replicas.reduce(0) { $0 + $1.scheduler.runningRequestCount }
            throw MeasuringRefusal(
                "\(runningCount) requests run and \(openRequestCount - runningCount) wait; "
                    + "measure when the cluster is idle")
        }
        if activity == .busy { throw MeasuringRefusal("workers are loading; measure when they are ready") }
        if survey.isMeasuring { throw MeasuringRefusal("something is being measured; wait for its end") }
        survey.restart()
        return survey.pendingCount
    }

    /// What a plan can be made from, and what is missing for it.
    public var planningInput: PlanningInput {
        let (measurements, missing) = survey.measurements(
            available: membership.members.filter { $0.isPresent && $0.detail.isEmpty }.map(\.node),
            coordinatorHostID: configuration.hostID)
        let placement = configuration.placement
        return PlanningInput(
            measurements: measurements, missing: missing, model: configuration.model,
            contextLength: placement.contextLength, keyValueTokenCapacity: placement.keyValueTokenCapacity,
            maximumStepRowCount: placement.maximumStepRowCount,
            constraints: configuration.constraints.limited(to: measurements.nodes.map(\.name)))
    }

    var activity: Survey.Activity {
        if openRequestCount > 0 || replicas.contains(where: { $0.isLoading || $0.placement.isPreparing }) {
            return .busy
        }
        return replicas.contains { $0.scheduler.inFlightStepCount > 0 } ? .probing : .idle
    }

    mutating func apply(_ effects: [Survey.Effect]) -> [Effect] {
        effects.flatMap { effect -> [Effect] in
            switch effect {
            case .order(let node, let order):
                guard let connection = membership.connection(of: node) else { return [] }
                return [.answer(envelope(.measurementOrder(order)), to: connection)]
            case .unexpected(let node):
                drops.count(.unexpectedMessage, from: node.name)
                return []
            case .failed(let reason): return [.notice(.notMeasured(reason: reason))]
            case .finished: return [.notice(.measured(linkCount: survey.links.count))]
            }
        }
    }

    var measuringHealth: MeasuringHealth {
        MeasuringHealth(
            pendingCount: survey.pendingCount, problems: survey.problems,
            links: survey.links.map { link in
                MeasuringHealth.Link(
                    first: link.first.name, second: link.second.name,
                    sharesMemory: survey.sharesMemory(link.first, link.second), link: link.measurement)
            })
    }
}
