import ClusterCore
import Transport

/// The report with keys in snake case, times in seconds and sizes in bytes. Ranges are a first number and a count.
extension PlanReport: Encodable {
    private enum CodingKeys: String, CodingKey {
        case model, objective, concurrency, placement, alternatives
        case contextLength = "context_length"
        case keyValueTokens = "kv_tokens"
        case promptLength = "prompt_tokens"
        case nodeCount = "nodes"
        case leftOut = "left_out"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(costs.name, forKey: .model)
        try container.encode(request.objective, forKey: .objective)
        try container.encode(request.concurrency, forKey: .concurrency)
        try container.encode(request.contextLength, forKey: .contextLength)
        try container.encode(request.keyValueTokenCapacity, forKey: .keyValueTokens)
        try container.encode(request.promptLength, forKey: .promptLength)
        try container.encode(nodeCount, forKey: .nodeCount)
        try container.encode(PlanOptionFigures(plan.chosen), forKey: .placement)
        try container.encode(plan.alternatives.map(PlanOptionFigures.init), forKey: .alternatives)
        try container.encode(
            plan.leftOut.map { LeftOutFigures(node: $0.node, reason: $0.reason) }, forKey: .leftOut)
    }
}

private struct LeftOutFigures: Encodable {
    var node: String
    var reason: String
}

private struct PlanOptionFigures: Encodable {
    var shape: PlacementShape
    var reason: String
    var limit: String
    var tokensPerSecond: Double
    var secondsPerToken: Double
    var weightsSeconds: Double
    var synchronisationSeconds: Double
    var hopSeconds: Double
    var overheadSeconds: Double
    var throughputTokensPerSecond: Double
    var secondsToFirstToken: Double
    var replicas: [ReplicaFigures]

    private enum CodingKeys: String, CodingKey {
        case shape, reason, limit, replicas
        case tokensPerSecond = "tokens_per_second"
        case secondsPerToken = "seconds_per_token"
        case weightsSeconds = "weights_seconds"
        case synchronisationSeconds = "synchronisation_seconds"
        case hopSeconds = "hop_seconds"
        case overheadSeconds = "overhead_seconds"
        case throughputTokensPerSecond = "throughput_tokens_per_second"
        case secondsToFirstToken = "seconds_to_first_token"
    }

    init(_ option: PlanOption) {
        let prediction = option.prediction
        shape = option.placement.shape
        reason = option.reason
        limit = "\(prediction.limit)"
        tokensPerSecond = prediction.tokensPerSecond
        secondsPerToken = prediction.secondsPerToken
        weightsSeconds = prediction.weightsSeconds
        synchronisationSeconds = prediction.synchronisationSeconds
        hopSeconds = prediction.hopSeconds
        overheadSeconds = prediction.overheadSeconds
        throughputTokensPerSecond = prediction.throughputTokensPerSecond
        secondsToFirstToken = prediction.secondsToFirstToken
        var nodes = prediction.nodes[...]
        replicas = option.placement.replicas.map { replica in
            ReplicaFigures(
                stages: replica.stages.map { stage in
                    StageFigures(
                        layers: RangeFigures(stage.layers),
                        ranks: zip(stage.ranks, nodes.prefix(stage.ranks.count)).map { rank, node in
                            nodes = nodes.dropFirst()
                            return RankFigures(rank, node)
                        })
                })
        }
    }
}

private struct ReplicaFigures: Encodable {
    var stages: [StageFigures]
}

private struct StageFigures: Encodable {
    var layers: RangeFigures
    var ranks: [RankFigures]
}

private struct RangeFigures: Encodable {
    var first: Int
    var count: Int

    init(_ range: Range<Int>) {
        first = range.lowerBound
        count = range.count
    }
}

private struct RankFigures: Encodable {
    var node: String
    var keyValueHeads: RangeFigures
    var feedForwardBlocks: RangeFigures
    var vocabularyChunks: RangeFigures
    var weightsByteCount: UInt64
    var keyValueByteCount: UInt64
    var workspaceByteCount: UInt64
    var memoryLimitByteCount: UInt64
    var stageSecondsPerToken: Double

    private enum CodingKeys: String, CodingKey {
        case node
        case keyValueHeads = "kv_heads"
        case feedForwardBlocks = "feed_forward_blocks"
        case vocabularyChunks = "vocabulary_chunks"
        case weightsByteCount = "weights_bytes"
        case keyValueByteCount = "kv_bytes"
        case workspaceByteCount = "workspace_bytes"
        case memoryLimitByteCount = "memory_limit_bytes"
        case stageSecondsPerToken = "stage_seconds_per_token"
    }

    init(_ rank: PlannedPlacement.Rank, _ node: PlacementPrediction.Node) {
        self.node = rank.node
        keyValueHeads = RangeFigures(rank.share.keyValueHeads)
        feedForwardBlocks = RangeFigures(rank.share.feedForwardBlocks)
        vocabularyChunks = RangeFigures(rank.share.vocabularyChunks)
        weightsByteCount = node.weightsByteCount
        keyValueByteCount = node.keyValueByteCount
        workspaceByteCount = node.workspaceByteCount
        memoryLimitByteCount = node.memoryLimitByteCount
        stageSecondsPerToken = node.stageSecondsPerToken
    }
}
