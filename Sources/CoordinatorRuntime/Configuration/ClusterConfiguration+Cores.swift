import ClusterCore
import Transport
import ZeroMQ

extension ClusterConfiguration {
    /// Longest context without a word from the operator: beyond it, KV cache should be asked for.
    static let defaultContextLimit = 8192

    /// What the cores go by for one model.
    ///
    /// - Throws: `CoordinatorError.configuration` with all conflicts, or `.planning`.
    func coordination(
        of model: CoordinatedModel, dataEndpoint: String, weightsEndpoint: String = "", firstEpoch: Epoch
    ) throws(CoordinatorError) -> CoordinationConfiguration {
        let problems = conflicts() + conflicts(with: model)
        guard problems.isEmpty else { throw .configuration(problems) }
        let contextLength = resolvedContextLength(of: model)
        let layout: ModelLayout
        do {
            layout = try ModelLayout(
                layerByteCounts: model.layerByteCounts, embeddingByteCount: model.embeddingByteCount,
                headByteCount: model.headByteCount)
        } catch {
            throw .planning(error)
        }
        var placement = PlacementConfiguration(
            selection: workers, shape: placement,
            planning: plansPlacement
                ? model.costs.map {
                    PlacementPlanning(
                        model: $0, constraints: planConstraints, objective: objective, concurrency: concurrency ?? 8)
                } : nil,
            layout: layout, parts: model.parts, modelFile: model.file,
            contextLength: contextLength,
            keyValueTokenCapacity: Self.wholeBlocks(keyValueTokenCapacity ?? 2 * contextLength),
            keyValueByteCount: model.keyValueByteCount, maximumStepRowCount: resolvedStepRowCount(of: model),
            headPrecision: headPrecision,
            activationGrid: activationGrid, loadingTimeout: loadingTimeout, replanDelay: replanDelay,
            firstEpoch: firstEpoch)
        placement.keepsSparesWarm = spares == .warm
        var scheduler = SchedulerConfiguration(
            contextLength: contextLength, vocabularySize: model.vocabularySize,
            maximumRunningCount: maximumRunningCount, queueLimit: queueLimit,
            maximumStepRowCount: resolvedStepRowCount(of: model), stepTimeout: stepTimeout,
            probeInterval: probeInterval, outageLimit: outageLimit, rebuildLimit: rebuildLimit)
        scheduler.reusesPrefixes = reusesPrefixes
        var coordination = CoordinationConfiguration(
            clusterID: clusterID, modelName: model.name, dataEndpoint: dataEndpoint,
            heartbeatInterval: heartbeatInterval, membership: MembershipConfiguration(detectionBound: detectionBound),
            placement: placement, scheduler: scheduler, measuresLinks: measuresLinks,
            rebalancingDelay: rebalancing == .auto ? rebalancingDelay : nil, shutdownLimit: shutdownLimit,
            hostID: HostIdentity.current,
            model: model.costs, constraints: planConstraints)
        coordination.weightsEndpoint = weightsEndpoint
        coordination.replicaCount = replicaCount
        return coordination
    }

    /// What tells the model and the settings that change its answers from others.
    func identity(of model: CoordinatedModel) -> String {
        "\(model.file.headerDigest.hexadecimal) \(model.file.byteCount) \(headPrecision.rawValue) \(activationGrid.rawValue)"
    }

    private func conflicts(with model: CoordinatedModel) -> [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        func add(_ setting: Setting, _ problem: String, _ remedy: String) {
            problems.append(
                ConfigurationProblem(
                    file: nil, line: nil, path: setting.rawValue, problem: problem, remedy: remedy))
        }
        if model.vocabularySize < 1 || model.contextLength < 1 || model.layerCount < 1 || model.hiddenSize < 1 {
            add(.model, "\(model.name) has no vocabulary, context, layers or hidden states", "name another file")
            return problems
        }
        if let contextLength, contextLength > model.contextLength {
            add(
                .contextLength, "\(contextLength) is over the \(model.contextLength) that \(model.name) was made for",
                "make it \(model.contextLength) or less")
        }
        if contextLength == nil, let keyValueTokenCapacity {
            let needed = Self.wholeBlocks(min(model.contextLength, Self.defaultContextLimit))
            if keyValueTokenCapacity < needed {
                add(
                    .keyValueTokens, "\(keyValueTokenCapacity) cannot hold one sequence of \(needed)",
                    "make it \(needed) or more, or give a smaller context_length")
            }
        }
        let rowLimit = Self.payloadRowLimit(of: model)
        if rowLimit < 1 {
            add(
                .model,
                "a row of \(model.name)'s hidden states takes \(model.hiddenSize * 4) bytes, a message holds "
                    + "\(Self.payloadByteLimit)", "name another file")
        } else if let maximumStepRowCount, maximumStepRowCount > rowLimit {
            add(
                .stepRows,
                "\(maximumStepRowCount) rows of \(model.name)'s hidden states take "
                    + "\(maximumStepRowCount * model.hiddenSize * 4) bytes, a message between stages holds "
                    + "\(Self.payloadByteLimit)", "make it \(rowLimit) or less")
        }
        if plansPlacement, model.costs == nil {
            add(.placement, "it is planned, but what \(model.name) costs is not known", "list the ranks of each stage")
        }
        problems += placementConflicts(with: model) + planningConflicts(with: model)
        if case .named(let named) = workers,
            let end = ends(of: named).first(where: { $0 != model.layerCount })
        {
            add(
                .workers, "their layers end with \(end - 1), those of \(model.name) with \(model.layerCount - 1)",
                "make the last worker's layers end with \(model.layerCount - 1)")
        }
        return problems
    }
}

extension ClusterConfiguration {
    /// Longest sequence in tokens: as configured, else the model's, within the default limit.
    public func resolvedContextLength(of model: CoordinatedModel) -> Int {
        contextLength ?? min(model.contextLength, Self.defaultContextLimit)
    }

    /// Most rows in a step without a word from the operator.
    static let defaultStepRowCount = 512
    /// Bytes of hidden states in one message between stages.
    static let payloadByteLimit = DataLinkLimits().maximumPayloadByteCount

    /// Rows of float32 hidden states that fit one message.
    static func payloadRowLimit(of model: CoordinatedModel) -> Int { payloadByteLimit / 4 / max(1, model.hiddenSize) }

    /// Most rows in a step: as configured, else the default, within what a message can hold.
    public func resolvedStepRowCount(of model: CoordinatedModel) -> Int {
        maximumStepRowCount ?? min(Self.defaultStepRowCount, Self.payloadRowLimit(of: model))
    }
}
