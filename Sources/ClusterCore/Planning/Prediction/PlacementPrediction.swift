/// What a placement is expected to do.
public struct PlacementPrediction: Sendable, Equatable {
    /// What most of the time goes to.
    public enum Limit: Sendable, Equatable {
        /// Reading weights on that node, the busiest.
        case memoryBandwidth(node: String)
        /// Multiplying on that node.
        case compute(node: String)
        /// A host's memory bus or cores, which its nodes share.
        case host(String)
        /// Waiting for messages over the slowest link that is used.
        case link(first: String, second: String)
        /// What steps and layers cost besides.
        case overhead
    }

    /// One node's part.
    public struct Node: Sendable, Equatable {
        public var name: String
        public var weightsByteCount: UInt64
        public var keyValueByteCount: UInt64
        /// Buffers of a step, and the program itself.
        public var workspaceByteCount: UInt64
        /// What it may take.
        public var memoryLimitByteCount: UInt64
        /// How long its stage works on a token of one stream, waiting for other ranks included.
        public var stageSecondsPerToken: Double

        public var memoryByteCount: UInt64 { weightsByteCount + keyValueByteCount + workspaceByteCount }
    }

    /// Of one stream, on the fastest replica, once the prompt is in.
    public var secondsPerToken: Double
    public var weightsSeconds: Double
    public var synchronisationSeconds: Double
    public var hopSeconds: Double
    public var overheadSeconds: Double
    public var secondsToFirstToken: Double
    /// Of all streams together at `concurrency`.
    public var throughputTokensPerSecond: Double
    public var concurrency: Int
    public var limit: Limit
    /// In order of replica, stage and rank.
    public var nodes: [Node]

    public var tokensPerSecond: Double { 1 / secondsPerToken }
}

extension PlacementPrediction.Limit: CustomStringConvertible {
    public var description: String {
        switch self {
        case .memoryBandwidth(let node): "memory bandwidth of \(node)"
        case .compute(let node): "computing on \(node)"
        case .host(let host): "what the nodes on \(host) share"
        case .link(let first, let second): "the link between \(first) and \(second)"
        case .overhead: "what steps and layers cost besides"
        }
    }
}

extension Predictor {
    func prediction(_ replicas: [[ResolvedStage]]) -> PlacementPrediction {
        let load = Workload.decode(streams: 1, context: request.promptLength)
        let times = replicas.map { tokenTime($0, load) }
        var best = 0
        for index in times.indices where times[index].total < times[best].total { best = index }
        let time = times[best]
        let total = throughput(replicas, streams: request.concurrency)
        var nodes: [PlacementPrediction.Node] = []
        for (replica, stages) in replicas.enumerated() {
            for (index, stage) in stages.enumerated() {
                for (rank, node) in stage.choice.nodes.enumerated() {
                    let heads = stage.counts.keyValueHeads[rank]
                    nodes.append(
                        PlacementPrediction.Node(
                            name: cluster.nodes[node].name,
                            weightsByteCount: UInt64(weightsByteCount(stage.choice, stage.counts, rank: rank)),
                            keyValueByteCount: UInt64(
                                keyValueByteCount(heads: heads, layers: stage.choice.layers.count)),
                            workspaceByteCount: UInt64(workspaceByteCount),
                            memoryLimitByteCount: UInt64(cluster.memoryByteCounts[node]),
                            stageSecondsPerToken: times[replica].stageSeconds[index]))
                }
            }
        }
        return PlacementPrediction(
            secondsPerToken: time.total, weightsSeconds: time.weightsSeconds,
            synchronisationSeconds: time.synchronisationSeconds, hopSeconds: time.hopSeconds,
            overheadSeconds: time.overheadSeconds,
            secondsToFirstToken: replicas.map(firstTokenSeconds).min() ?? 0,
            throughputTokensPerSecond: total.tokensPerSecond, concurrency: request.concurrency,
            limit: request.objective == .latency
                ? limit(replicas[best], time, load) : throughputLimit(replicas, total.streams), nodes: nodes)
    }

    /// What the largest part of a stream's time goes to.
    private func limit(_ stages: [ResolvedStage], _ time: TokenTime, _ load: Workload) -> PlacementPrediction.Limit {
        let waiting = time.synchronisationSeconds + time.hopSeconds
        if time.overheadSeconds > max(waiting, time.weightsSeconds) { return .overhead }
        if waiting > time.weightsSeconds, let link = slowestLink(stages) { return link }
        var busiest = 0
        for index in stages.indices where time.stageSeconds[index] > time.stageSeconds[busiest] { busiest = index }
        return limit(of: stages[busiest], rows: load.rows)
    }

    private func throughputLimit(_ replicas: [[ResolvedStage]], _ streams: [Int]) -> PlacementPrediction.Limit {
        var best = 0
        for index in streams.indices where streams[index] > streams[best] { best = index }
        let stages = replicas[best]
        let count = max(1, streams[best])
        let rows = Double(count) / Double(min(count, stages.count))
        let load = Workload.decode(streams: rows, context: request.promptLength)
        let result = throughput(stages, streams: count)
        guard let stage = result.bottleneckStage else {
            let shared = result.hostDemands.max { $0.secondsPerToken < $1.secondsPerToken }
            if let shared, shared.secondsPerToken * result.tokensPerSecond > 0.99 {
                return .host(cluster.hosts[shared.host].name)
            }
            return limit(stages, tokenTime(stages, load), load)
        }
        return limit(of: stages[stage], rows: rows)
    }

    /// Whether the slowest rank of a stage waits for memory or for its cores.
    private func limit(of stage: ResolvedStage, rows: Double) -> PlacementPrediction.Limit {
        let kind = kinds[kindOf[stage.choice.layers.lowerBound]]
        var slowest = (rank: 0, seconds: -1.0)
        for (rank, node) in stage.choice.nodes.enumerated() {
            let spent = seconds(
                node, kind.feedForwardBlock * Double(stage.counts.feedForwardBlocks[rank]), rows: rows)
            if spent > slowest.seconds { slowest = (rank, spent) }
        }
        let node = stage.choice.nodes[slowest.rank]
        let reads = readSeconds(node, kind.feedForwardBlock) >= rows * multiplySeconds(node, kind.feedForwardBlock)
        let name = cluster.nodes[node].name
        return reads ? .memoryBandwidth(node: name) : .compute(node: name)
    }

    /// The link with the longest way among those that a token takes.
    private func slowestLink(_ stages: [ResolvedStage]) -> PlacementPrediction.Limit? {
        var worst: (seconds: Double, first: Int, second: Int)?
        func look(_ first: Int, _ second: Int) {
            let link = cluster.links[cluster.link(first, second)]
            let seconds = link.seconds(byteCount: hiddenByteCount(rows: 1))
            if worst.map({ seconds > $0.seconds }) ?? true { worst = (seconds, first, second) }
        }
        for (index, stage) in stages.enumerated() {
            let nodes = stage.choice.nodes
            for rank in nodes.indices.dropFirst() { look(nodes[0], nodes[rank]) }
            if index > 0 { look(stages[index - 1].choice.nodes[0], nodes[0]) }
        }
        guard let worst else { return nil }
        return .link(first: cluster.nodes[worst.first].name, second: cluster.nodes[worst.second].name)
    }
}
