/// Places a model on nodes: a function of measurements, costs and what is wanted, and of nothing else.
public enum Planner {
    /// Finds a placement, predicts what it does, and says why it and not another.
    ///
    /// For latency it is never predicted to be slower than the best single node that can hold the model. docs/planning.md
    /// says how it is found and what is not looked at.
    /// - Throws: `.noNodes`, `.invalid`, `.constraint`, or `.doesNotFit` with how much memory is missing.
    public static func plan(
        _ measurements: ClusterMeasurements, _ costs: ModelCosts, _ request: PlanRequest
    ) throws(PlanError) -> Plan {
        let cluster = try CompiledCluster(measurements, request.constraints)
        let predictor = try Predictor(cluster, costs, request)
        let search = try PlacementSearch(predictor)
        let found = search.run()
        guard let best = found.first else { throw failure(predictor) }
        let options = found.compactMap { candidate -> (Candidate, PlannedPlacement, PlacementPrediction)? in
            guard let (placement, prediction) = predictor.details(candidate) else { return nil }
            return (candidate, placement, prediction)
        }
        guard let chosen = options.first else { throw failure(predictor) }
        let reasons = PlanReasons(predictor: predictor, chosen: best, prediction: chosen.2)
        return Plan(
            chosen: PlanOption(placement: chosen.1, prediction: chosen.2, reason: reasons.whyChosen(found)),
            alternatives: options.dropFirst().prefix(4).map {
                PlanOption(placement: $0.1, prediction: $0.2, reason: reasons.whyLost($0.0, $0.2))
            },
            leftOut: cluster.unusable + reasons.leftOut(order: search.order))
    }

    /// Predicts a placement that was settled elsewhere, as it is: its shares included.
    ///
    /// - Parameter stages: nodes and layers of each stage, in order.
    /// - Throws: `.constraint` for unknown nodes or layers that do not follow one another, `.doesNotFit`.
    public static func predict(
        _ stages: [(nodes: [String], layers: Range<Int>)], _ measurements: ClusterMeasurements, _ costs: ModelCosts,
        _ request: PlanRequest
    ) throws(PlanError) -> PlanOption {
        let cluster = try CompiledCluster(measurements, request.constraints)
        let predictor = try Predictor(cluster, costs, request)
        var choices: [StageChoice] = []
        var next = 0
        var used: Set<Int> = []
        for stage in stages {
            guard stage.layers.lowerBound == next, !stage.layers.isEmpty else {
                throw .constraint("a stage begins with layer \(stage.layers.lowerBound); make it begin with \(next)")
            }
            next = stage.layers.upperBound
            var nodes: [Int] = []
            for name in stage.nodes {
                guard let node = cluster.nodes.firstIndex(where: { $0.name == name }), used.insert(node).inserted else {
                    throw .constraint("\(name) is no node that may have a part, or has two; correct the name")
                }
                nodes.append(node)
            }
            guard (1...predictor.maximumRankCount).contains(nodes.count) else {
                throw .constraint("a stage of this model has 1 to \(predictor.maximumRankCount) ranks")
            }
            choices.append(StageChoice(nodes: nodes, layers: stage.layers))
        }
        guard next == predictor.layerCount else {
            throw .constraint("the stages hold \(next) layers, the model has \(predictor.layerCount)")
        }
        guard let candidate = predictor.candidate([choices]), let details = predictor.details(candidate) else {
            throw .doesNotFit(predictor.shortage)
        }
        return PlanOption(placement: details.0, prediction: details.1, reason: "it was given")
    }

    private static func failure(_ predictor: Predictor) -> PlanError {
        let shortage = predictor.shortage
        let constraints = predictor.request.constraints
        guard shortage.shortByteCount == 0, constraints.rankCounts != nil || !constraints.pins.isEmpty else {
            return .doesNotFit(shortage)
        }
        return .constraint(
            "no placement holds the model under the given placement or pins, though the nodes have memory for it; "
                + "loosen them, or lower the KV cache")
    }
}

extension Predictor {
    /// The placement as others see it, and its prediction.
    func details(_ candidate: Candidate) -> (PlannedPlacement, PlacementPrediction)? {
        var resolved: [[ResolvedStage]] = []
        for replica in candidate.replicas {
            guard let stages = resolve(replica) else { return nil }
            resolved.append(stages)
        }
        let replicas = resolved.map { stages in
            PlannedPlacement.Replica(
                stages: stages.map { stage in
                    PlannedPlacement.Stage(
                        layers: stage.choice.layers,
                        ranks: zip(stage.choice.nodes, stage.counts.shares).map {
                            PlannedPlacement.Rank(node: cluster.nodes[$0].name, share: $1)
                        })
                })
        }
        return (PlannedPlacement(replicas: replicas), prediction(resolved))
    }

    /// What the model needs at the least, beside what there is.
    var shortage: MemoryShortage {
        let nodes = cluster.nodes
        let bits = nodes.reduce(Double.infinity) { min($0, $1.ternaryBitsPerWeight) }
        let weights = costs.weightsByteCount(ternaryBitsPerWeight: bits)
        let keyValues = keyValueByteCount(heads: costs.parts.keyValueHeadCount, layers: layerCount)
        let available = cluster.memoryByteCounts.reduce(0, +)
        let perToken = costs.keyValueByteCount * Double(costs.parts.keyValueHeadCount * layerCount)
        let usable = cluster.memoryByteCounts.reduce(0) { $0 + max(0, $1 - workspaceByteCount) }
        let tokens = perToken > 0 ? max(0, (usable - weights) / perToken) : 0
        return MemoryShortage(
            neededByteCount: UInt64(weights + keyValues + workspaceByteCount),
            availableByteCount: UInt64(available), nodeCount: nodes.count,
            keyValueByteCount: UInt64(keyValues),
            fittingKeyValueTokenCount: min(
                Int(min(tokens, 1e12)) / Self.blockPositions * Self.blockPositions,
                request.keyValueTokenCapacity))
    }
}
