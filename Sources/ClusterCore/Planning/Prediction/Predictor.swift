import Transport

/// Neighbouring layers and who holds them, before shares are settled.
struct StageChoice: Equatable {
    var nodes: [Int]
    var layers: Range<Int>
}

/// Predicts how long stages take and what they hold. docs/planning.md has the formulas.
struct Predictor {
    let cluster: CompiledCluster
    let costs: ModelCosts
    let request: PlanRequest
    /// Layers that differ, and which of them each layer is.
    let kinds: [LayerCosts]
    let kindOf: [Int]

    /// What a worker takes besides weights, cache and workspace.
    static let programByteCount = 48.0 * 1024 * 1024
    /// A step without rows of hidden states, and a result.
    private static let envelopeByteCount = 256.0
    /// Positions to a block of the KV cache, which is handed out whole.
    static let blockPositions = 256

    /// - Throws: `.invalid` for costs or a request that nothing can be planned with.
    init(_ cluster: CompiledCluster, _ costs: ModelCosts, _ request: PlanRequest) throws(PlanError) {
        guard !costs.layers.isEmpty, costs.parts.keyValueHeadCount > 0, costs.parts.feedForwardBlockCount > 0,
            costs.parts.vocabularyChunkCount > 0
        else { throw .invalid("\(costs.name) has no layers, heads, feed-forward blocks or vocabulary") }
        guard request.concurrency > 0, request.contextLength > 0, request.promptLength > 0,
            request.maximumStepRowCount > 0, request.keyValueTokenCapacity >= 0
        else { throw .invalid("concurrency, context, prompt and step rows must be 1 or more") }
        self.cluster = cluster
        self.costs = costs
        self.request = request
        var kinds: [LayerCosts] = []
        kindOf = costs.layers.map { layer in
            if let kind = kinds.firstIndex(of: layer) { return kind }
            kinds.append(layer)
            return kinds.count - 1
        }
        self.kinds = kinds
    }

    var layerCount: Int { costs.layerCount }

    /// The most ranks that a stage can have.
    var maximumRankCount: Int { min(costs.parts.keyValueHeadCount, costs.parts.feedForwardBlockCount) }

    // Memory, in bytes.

    func keyValueByteCount(heads: Int, layers: Int) -> Double {
        let blocks = (request.keyValueTokenCapacity + Self.blockPositions - 1) / Self.blockPositions
        return Double(blocks * Self.blockPositions) * costs.keyValueByteCount * Double(heads) * Double(layers)
    }

    var workspaceByteCount: Double {
        Double(request.maximumStepRowCount) * costs.workspaceByteCountPerRow + Self.programByteCount
    }

    func layerByteCount(_ node: Int, kind: Int, heads: Int, blocks: Int) -> Double {
        let bits = cluster.nodes[node].ternaryBitsPerWeight
        return kinds[kind].normByteCount
            + kinds[kind].keyValueHead.byteCount(ternaryBitsPerWeight: bits) * Double(heads)
            + kinds[kind].feedForwardBlock.byteCount(ternaryBitsPerWeight: bits) * Double(blocks)
    }

    func headByteCount(_ node: Int, chunks: Int) -> Double {
        costs.vocabularyChunk.byteCount(ternaryBitsPerWeight: cluster.nodes[node].ternaryBitsPerWeight) * Double(chunks)
    }

    func weightsByteCount(_ stage: StageChoice, _ counts: PartCounts, rank: Int) -> Double {
        let node = stage.nodes[rank]
        return stage.layers.reduce(headByteCount(node, chunks: counts.vocabularyChunks[rank])) { sum, layer in
            sum
                + layerByteCount(
                    node, kind: kindOf[layer], heads: counts.keyValueHeads[rank], blocks: counts.feedForwardBlocks[rank]
                )
        }
    }

    func memoryByteCount(_ stage: StageChoice, _ counts: PartCounts, rank: Int) -> Double {
        weightsByteCount(stage, counts, rank: rank)
            + keyValueByteCount(heads: counts.keyValueHeads[rank], layers: stage.layers.count) + workspaceByteCount
    }

    // Time, in seconds.

    /// Reading weights and multiplying rows with them overlap, so the slower of the two counts.
    func seconds(_ node: Int, _ amount: WeightAmount, rows: Double) -> Double {
        max(readSeconds(node, amount), rows * multiplySeconds(node, amount))
    }

    func readSeconds(_ node: Int, _ amount: WeightAmount) -> Double {
        let measured = cluster.nodes[node]
        return amount.ternaryCount * measured.ternaryBitsPerWeight / 8 / measured.ternary.bytesPerSecond
            + amount.otherByteCount / measured.other.bytesPerSecond
    }

    func multiplySeconds(_ node: Int, _ amount: WeightAmount) -> Double {
        let measured = cluster.nodes[node]
        return amount.ternaryCount / measured.ternary.multiplyAddsPerSecond
            + amount.otherCount / measured.other.multiplyAddsPerSecond
    }

    /// Attention of one KV head over what is in the cache.
    func cacheSeconds(_ node: Int, _ load: Workload) -> Double {
        let rates = cluster.nodes[node].attention ?? cluster.nodes[node].other
        return max(
            load.sequences * load.context * costs.keyValueByteCount / rates.bytesPerSecond,
            load.rows * load.context * costs.attentionMultiplyAdds / rates.multiplyAddsPerSecond)
    }

    /// When all of some nodes are done that begin together: not before the slowest, and not before each host's bus has
    /// brought all bytes and its cores have run all threads.
    func phaseSeconds(_ nodes: [Int], seconds: [Double], byteCounts: [Double]) -> Double {
        var result = seconds.max() ?? 0
        for (index, node) in nodes.enumerated() {
            let number = cluster.hostOf[node]
            let host = cluster.hosts[number]
            guard host.bandwidthBytesPerSecond < .infinity || host.coreCount < .infinity,
                !nodes[..<index].contains(where: { cluster.hostOf[$0] == number })
            else { continue }
            var bytes = 0.0
            var members: [(seconds: Double, threadCount: Int)] = []
            for (other, member) in nodes.enumerated() where cluster.hostOf[member] == number {
                bytes += byteCounts[other]
                members.append((seconds[other], cluster.nodes[member].threadCount))
            }
            result = max(result, bytes / host.bandwidthBytesPerSecond, Self.seconds(members, on: host.coreCount))
        }
        return result
    }

    /// How long members of one host take that have more threads than it has cores: a phase is shorter than a time slice,
    /// so they run one after another on the cores that there are, the longest first.
    private static func seconds(_ members: [(seconds: Double, threadCount: Int)], on coreCount: Double) -> Double {
        let threads = members.reduce(0) { $0 + $1.threadCount }
        guard members.count > 1, Double(threads) > coreCount else { return 0 }
        // A node alone never has more threads than cores by its own account: its rates were measured so.
        let widest = members.reduce(1) { max($0, $1.threadCount) }
        var places = [Double](repeating: 0, count: max(1, Int(coreCount) / widest))
        for member in members.sorted(by: { $0.seconds > $1.seconds }) {
            let freest = places.indices.min { places[$0] < places[$1] } ?? 0
            places[freest] += member.seconds
        }
        return places.max() ?? 0
    }

    /// How long a stage takes, part by part.
    func timing(_ nodes: [Int], _ counts: PartCounts, _ load: Workload) -> StageTiming {
        let measured = nodes.map { cluster.nodes[$0] }
        let overhead = measured.reduce(0) { max($0, $1.layerOverheadSeconds) }
        let layerSeconds = kinds.map { kind -> Double in
            var (attention, forward) = ([Double](), [Double]())
            var (attentionBytes, forwardBytes) = ([Double](), [Double]())
            for (rank, node) in nodes.enumerated() {
                let (heads, blocks) = (Double(counts.keyValueHeads[rank]), Double(counts.feedForwardBlocks[rank]))
                let bits = measured[rank].ternaryBitsPerWeight
                attention.append(
                    seconds(node, kind.keyValueHead * heads, rows: load.rows) + heads * cacheSeconds(node, load))
                attentionBytes.append(
                    heads
                        * (kind.keyValueHead.byteCount(ternaryBitsPerWeight: bits)
                            + load.sequences * load.context * costs.keyValueByteCount))
                forward.append(seconds(node, kind.feedForwardBlock * blocks, rows: load.rows))
                forwardBytes.append(blocks * kind.feedForwardBlock.byteCount(ternaryBitsPerWeight: bits))
            }
            return overhead + phaseSeconds(nodes, seconds: attention, byteCounts: attentionBytes)
                + phaseSeconds(nodes, seconds: forward, byteCounts: forwardBytes)
        }
        let head = nodes.indices.map { costs.vocabularyChunk * Double(counts.vocabularyChunks[$0]) }
        let headSeconds =
            load.outputRows > 0
            ? phaseSeconds(
                nodes, seconds: nodes.indices.map { seconds(nodes[$0], head[$0], rows: load.outputRows) },
                byteCounts: nodes.indices.map { headByteCount(nodes[$0], chunks: counts.vocabularyChunks[$0]) }) : 0
        return StageTiming(
            layerSeconds: layerSeconds, layerSynchronisationSeconds: layerSynchronisation(nodes, rows: load.rows),
            stepSeconds: measured.reduce(0) { max($0, $1.stepOverheadSeconds) }, headSeconds: headSeconds,
            headSynchronisationSeconds: headSynchronisation(nodes, rows: load.outputRows))
    }

    private func layerSynchronisation(_ nodes: [Int], rows: Double) -> Double {
        guard nodes.count > 1 else { return 0 }
        let costs = costs.synchronisation
        let vector = rows * Double(self.costs.hiddenSize * costs.bytesPerValue)
        return Double(costs.vectorCount) * exchangeSeconds(nodes, byteCount: vector)
            + Double(costs.scalarCount) * exchangeSeconds(nodes, byteCount: 4 * rows)
    }

    private func headSynchronisation(_ nodes: [Int], rows: Double) -> Double {
        guard nodes.count > 1, rows > 0 else { return 0 }
        // Each rank's best token with its logit; else all of its logits, to rank 0, one rank's after another's.
        guard request.gathersLogits else { return exchangeSeconds(nodes, byteCount: 8 * rows) }
        let share = rows * 4 * Double(costs.vocabularySize) / Double(nodes.count)
        return hopSeconds(from: [nodes[1]], to: [nodes[0]], byteCount: share)
            + Double(nodes.count - 2) * share / cluster.links[cluster.link(nodes[0], nodes[1])].bandwidthBytesPerSecond
    }

    /// How long ranks take to have the sum of vectors of `byteCount` bytes each, by the better of two ways: each sends
    /// all to every other, or each sums a part and sends it round (reduce-scatter and all-gather: Rabenseifner, 2004).
    func exchangeSeconds(_ nodes: [Int], byteCount: Double) -> Double {
        let count = Double(nodes.count)
        let others = count - 2
        var (direct, scattered) = (0.0, 0.0)
        var seen: [Int] = []
        for first in nodes.indices {
            for second in nodes.indices where second > first {
                let number = cluster.exchangeLink(nodes[first], nodes[second])
                guard !seen.contains(number) else { continue }
                seen.append(number)
                let link = cluster.links[number]
                let part = byteCount / count
                direct = max(
                    direct,
                    link.seconds(byteCount: byteCount)
                        + others * (byteCount / link.bandwidthBytesPerSecond + link.messageSeconds))
                scattered = max(
                    scattered,
                    2 * link.seconds(byteCount: part)
                        + 2 * others * (part / link.bandwidthBytesPerSecond + link.messageSeconds))
            }
        }
        return min(direct, scattered)
    }

    /// How long hidden states take from a stage to the next: rank j has them from rank j mod N of the stage before.
    func hopSeconds(from senders: [Int], to receivers: [Int], byteCount: Double) -> Double {
        let copies = Double((receivers.count + senders.count - 1) / senders.count - 1)
        return receivers.indices.reduce(0) { slowest, index in
            let link = cluster.links[cluster.link(senders[index % senders.count], receivers[index])]
            return max(
                slowest,
                link.seconds(byteCount: byteCount)
                    + copies * (byteCount / link.bandwidthBytesPerSecond + link.messageSeconds))
        }
    }

    /// From the coordinator to the first stage.
    func firstHopSeconds(to nodes: [Int]) -> Double {
        nodes.reduce(0) { slowest, node in
            let link = cluster.links[cluster.coordinatorLink(node)]
            return max(
                slowest,
                link.seconds(byteCount: Self.envelopeByteCount) + Double(nodes.count - 1) * link.messageSeconds)
        }
    }

    /// From the last stage, whose first rank samples, to the coordinator.
    func lastHopSeconds(from nodes: [Int]) -> Double {
        cluster.links[cluster.coordinatorLink(nodes[0])].seconds(byteCount: Self.envelopeByteCount)
    }

    func hiddenByteCount(rows: Double) -> Double { rows * 4 * Double(costs.hiddenSize) }
}
