/// How fast pipelines are.
extension Predictor {
    /// Where a token's time goes, in seconds.
    struct TokenTime: Equatable {
        /// How long each stage is busy.
        var stageSeconds: [Double] = []
        var weightsSeconds = 0.0
        var synchronisationSeconds = 0.0
        var hopSeconds = 0.0
        var overheadSeconds = 0.0

        var total: Double { weightsSeconds + synchronisationSeconds + hopSeconds + overheadSeconds }
    }

    /// How long a step takes from the coordinator through all stages and back.
    func tokenTime(_ stages: [ResolvedStage], _ load: Workload) -> TokenTime {
        var time = TokenTime()
        guard let first = stages.first, let last = stages.last else { return time }
        time.hopSeconds = firstHopSeconds(to: first.choice.nodes) + lastHopSeconds(from: last.choice.nodes)
        for (index, stage) in stages.enumerated() {
            let timing = timing(stage.choice.nodes, stage.counts, load)
            let overhead =
                timing.stepSeconds
                + Double(stage.choice.layers.count)
                * stage.choice.nodes.reduce(0) { max($0, cluster.nodes[$1].layerOverheadSeconds) }
            let layers = stage.choice.layers.reduce(0) { $0 + timing.layerSeconds[kindOf[$1]] }
            let isLast = index + 1 == stages.count
            let synchronisation =
                Double(stage.choice.layers.count) * timing.layerSynchronisationSeconds
                + (isLast ? timing.headSynchronisationSeconds : 0)
            let weights = layers + timing.stepSeconds - overhead + (isLast ? timing.headSeconds : 0)
            time.overheadSeconds += overhead
            time.weightsSeconds += weights
            time.synchronisationSeconds += synchronisation
            time.stageSeconds.append(overhead + weights + synchronisation)
            if index > 0 {
                time.hopSeconds += hopSeconds(
                    from: stages[index - 1].choice.nodes, to: stage.choice.nodes,
                    byteCount: hiddenByteCount(rows: load.rows))
            }
        }
        return time
    }

    /// Seconds to a token of one stream.
    func decodeSeconds(_ stages: [ResolvedStage]) -> Double {
        tokenTime(stages, .decode(streams: 1, context: request.promptLength)).total
    }

    /// What a replica does with so many streams.
    struct Throughput {
        var tokensPerSecond: Double
        /// How long each host's bus or cores are taken for a token, in host order of `hostDemands`.
        var hostDemands: [(host: Int, secondsPerToken: Double)]
        /// The stage that all wait for; nil if it is the way through all stages.
        var bottleneckStage: Int?
    }

    /// Streams are spread over as many steps as there are stages, which are under way at once. A round ends no sooner
    /// than one step is through all stages, than the busiest stage has done all steps, and than each host's bus and
    /// cores have (the asymptotic bounds of Denning and Buzen, 1978).
    func throughput(_ stages: [ResolvedStage], streams: Int) -> Throughput {
        let steps = min(streams, stages.count)
        let rows = Double(streams) / Double(steps)
        let load = Workload.decode(streams: rows, context: request.promptLength)
        let time = tokenTime(stages, load)
        let slowest = time.stageSeconds.max() ?? 0
        let demands = hostDemands(stages, load, time)
        let shared = demands.reduce(0) { max($0, $1.secondsPerToken * rows) }
        let round = max(time.total, Double(steps) * slowest, Double(steps) * shared)
        let isBusy = Double(steps) * slowest >= max(time.total, Double(steps) * shared)
        return Throughput(
            tokensPerSecond: Double(streams) / round, hostDemands: demands,
            bottleneckStage: isBusy ? time.stageSeconds.firstIndex(of: slowest) : nil)
    }

    /// How long a token takes of each host with a limit, over all stages.
    private func hostDemands(
        _ stages: [ResolvedStage], _ load: Workload, _ time: TokenTime
    ) -> [(host: Int, secondsPerToken: Double)] {
        var demands: [(host: Int, bytes: Double, threadSeconds: Double)] = []
        for (index, stage) in stages.enumerated() {
            for (rank, node) in stage.choice.nodes.enumerated() {
                let number = cluster.hostOf[node]
                let host = cluster.hosts[number]
                guard host.bandwidthBytesPerSecond < .infinity || host.coreCount < .infinity else { continue }
                let keys =
                    load.sequences * load.context * costs.keyValueByteCount
                    * Double(stage.counts.keyValueHeads[rank] * stage.choice.layers.count)
                let bytes = weightsByteCount(stage.choice, stage.counts, rank: rank) + keys
                let threads = Double(cluster.nodes[node].threadCount) * time.stageSeconds[index]
                if let known = demands.firstIndex(where: { $0.host == number }) {
                    demands[known].bytes += bytes
                    demands[known].threadSeconds += threads
                } else {
                    demands.append((number, bytes, threads))
                }
            }
        }
        return demands.map { demand in
            let host = cluster.hosts[demand.host]
            let step = max(demand.bytes / host.bandwidthBytesPerSecond, demand.threadSeconds / host.coreCount)
            return (demand.host, step / load.rows)
        }
    }

    /// Tokens a second of several replicas together, and the streams of each.
    func throughput(_ replicas: [[ResolvedStage]], streams: Int) -> (tokensPerSecond: Double, streams: [Int]) {
        let count = replicas.count
        if count == 1 { return (throughput(replicas[0], streams: streams).tokensPerSecond, [streams]) }
        let even = max(1, (streams + count - 1) / count)
        let pace = replicas.map { Double(even) / max(throughput($0, streams: even).tokensPerSecond, 1e-12) }
        let counts = PartCounts.leastMaximum(partCount: streams, secondsPerPart: pace, minimum: 0) ?? []
        var total = 0.0
        var usage: [Double] = []
        for (replica, streams) in zip(replicas, counts) where streams > 0 {
            let result = throughput(replica, streams: streams)
            total += result.tokensPerSecond
            for demand in result.hostDemands {
                while usage.count <= demand.host { usage.append(0) }
                usage[demand.host] += demand.secondsPerToken * result.tokensPerSecond
            }
        }
        // A host that several replicas share serves them all more slowly.
        return (total / max(1, usage.max() ?? 0), counts)
    }

    /// Seconds to the first token of a prompt. Chunks follow each other through the stages: a stage begins one when it
    /// has done the one before and the stage before has sent it.
    func firstTokenSeconds(_ stages: [ResolvedStage]) -> Double {
        guard let first = stages.first, let last = stages.last else { return 0 }
        var free = [Double](repeating: 0, count: stages.count)
        var position = 0
        while position < request.promptLength {
            let end = min(position + request.maximumStepRowCount, request.promptLength)
            let load = Workload.prefill(position..<end, isLast: end == request.promptLength)
            let time = tokenTime(stages, load)
            var arrival = firstHopSeconds(to: first.choice.nodes)
            for index in stages.indices {
                if index > 0 {
                    arrival += hopSeconds(
                        from: stages[index - 1].choice.nodes, to: stages[index].choice.nodes,
                        byteCount: hiddenByteCount(rows: load.rows))
                }
                arrival = max(arrival, free[index]) + time.stageSeconds[index]
                free[index] = arrival
            }
            position = end
        }
        return free[stages.count - 1] + lastHopSeconds(from: last.choice.nodes)
    }
}
