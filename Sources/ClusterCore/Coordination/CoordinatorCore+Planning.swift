import Transport

/// What is made of measurements.
extension CoordinatorCore {
    /// Gives the placements what there is to plan with, once nothing is left to be measured.
    mutating func plan(at now: Instant) -> [Effect] {
        guard configuration.placement.planning != nil, survey.pendingCount == 0 else { return [] }
        let isDue = partingDeadline.map { $0 <= now } ?? false
        if isDue { partingDeadline = nil }
        guard survey.revision != plannedRevision || isDue else { return [] }
        plannedRevision = survey.revision
        let measurements = planningInput.measurements
        let parted = part(measurements, forFewer: isDue, at: now)
        guard isParted else { return parted }
        return parted + replicas.indices.flatMap { place(.measured(measurements), in: $0, at: now) }
    }

    /// Settles how many replicas there are and which workers make up each, once all that are wanted are measured.
    private mutating func part(
        _ measurements: ClusterMeasurements, forFewer: Bool, at now: Instant
    ) -> [Effect] {
        guard !isParted, let planning = configuration.placement.planning, replicas[0].placement.pipeline == nil else {
            isParted = true
            return []
        }
        let selection = configuration.placement.selection
        var measurements = measurements
        let candidates = replicas[0].placement.candidates.map(\.node)
        measurements.nodes.removeAll { node in !candidates.contains { $0.name == node.name } }
        guard forFewer || measurements.nodes.count >= selection.workerCount else { return [] }
        let request = configuration.placement.planRequest(planning, among: measurements.nodes.map(\.name))
        guard let plan = try? Planner.plan(measurements, planning.model, request) else {
            // One replica does not fit either, and says why.
            return place(.measured(measurements), in: 0, at: now)
        }
        let parts = plan.chosen.placement.replicas.map { replica in
            let names = Set(replica.stages.flatMap { $0.ranks.map(\.node) })
            return candidates.filter { names.contains($0.name) }
        }
        return part(parts, planning, at: now)
    }

    private mutating func part(_ parts: [[NodeID]], _ planning: PlacementPlanning, at now: Instant) -> [Effect] {
        let placements = parts.map { nodes in
            var placement = configuration.placement
            placement.firstEpoch = Epoch(epoch.number + 1)
            placement.drained = drained
            placement.planning?.concurrency = max(1, (planning.concurrency + parts.count - 1) / parts.count)
            placement.selection =
                if case .named(let named) = placement.selection {
                    .named(named.filter { nodes.contains($0.node) })
                } else {
                    .count(nodes.count)
                }
            return placement
        }
        guard let parted = try? placements.map({ try Replica($0, configuration.scheduler) }) else { return [] }
        let isContinued = replicas[0].scheduler.openRequestCount > 0
        let scheduler = replicas[0].scheduler
        replicas = parted
        // Requests of a coordinator before this one wait there.
        replicas[0].scheduler = scheduler
        isParted = true
        partingDeadline = nil
        let homes = parts.enumerated().flatMap { index, nodes in nodes.map { ($0, index) } }
        teams = Teams(
            count: parts.count, homes: Dictionary(homes, uniquingKeysWith: { first, _ in first }),
            isSettled: configuration.placement.selection.isNamed)
        var effects: [Effect] = [.notice(.replicasPlanned(parts))]
        if isContinued { effects += replicas.indices.flatMap { place(.continued, in: $0, at: now) } }
        for member in membership.members.filter(\.isPresent).sorted(by: { $0.joinNumber < $1.joinNumber }) {
            effects += seat(member.node, at: now)
        }
        return effects
    }
}
