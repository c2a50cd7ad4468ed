import ClusterCore
import TestSupport
import Transport

extension ModelCosts {
    /// A model with round figures: a KV head and a block take 1 MB each of every layer, a chunk of the vocabulary takes
    /// 1 MB, and a row multiplies each byte once.
    static func round(
        layers: Int = 4, heads: Int = 2, blocks: Int = 3, chunks: Int = 2, keyValueByteCount: Double = 0,
        scalarCount: Int = 0
    ) -> ModelCosts {
        let part = WeightAmount(otherCount: 1e6, otherByteCount: 1e6)
        return ModelCosts(
            name: "round",
            parts: RankParts(
                keyValueHeadCount: heads, feedForwardSize: blocks * RankShare.feedForwardBlockColumns,
                vocabularySize: chunks * RankShare.vocabularyChunkTokens),
            hiddenSize: 1000, vocabularySize: chunks * RankShare.vocabularyChunkTokens, contextLength: 4096,
            layers: [LayerCosts](
                repeating: LayerCosts(keyValueHead: part, feedForwardBlock: part, normByteCount: 0), count: layers),
            vocabularyChunk: part, embeddingByteCount: 1e6, keyValueByteCount: keyValueByteCount,
            attentionMultiplyAdds: 0,
            synchronisation: SynchronisationCosts(bytesPerValue: 4, scalarCount: scalarCount),
            workspaceByteCountPerRow: 0)
    }
}

extension NodeMeasurement {
    /// 1 GB/s and 10 billion multiply-adds a second unless said otherwise; 1 ms to a step and 0.1 ms to a layer.
    static func round(
        _ name: String, speed: Double = 1, memory: UInt64 = 1 << 30, host: String? = nil, threads: Int = 1
    ) -> NodeMeasurement {
        let rates = KernelRates(bytesPerSecond: speed * 1e9, multiplyAddsPerSecond: speed * 1e10)
        return NodeMeasurement(
            name: name, host: host, threadCount: threads, memoryTotalByteCount: memory, memoryFreeByteCount: memory,
            ternary: rates, other: rates, stepOverheadSeconds: 1e-3, layerOverheadSeconds: 1e-4)
    }
}

extension LinkMeasurement {
    /// A millisecond one way, whatever the size.
    static let millisecond = LinkMeasurement(
        latencySeconds: 2e-3, bandwidthBytesPerSecond: .infinity, messageSeconds: 0)
    /// No time at all.
    static let instant = LinkMeasurement(latencySeconds: 0, bandwidthBytesPerSecond: .infinity, messageSeconds: 0)
}

/// What a worker takes besides its part.
let programByteCount = 48.0 * 1024 * 1024

/// Clusters and models of all kinds, by seed.
struct RandomCluster {
    var measurements: ClusterMeasurements
    var costs: ModelCosts

    /// - Parameter memory: bytes of each node in shares of the model's, at random from these.
    init(seed: Int, nodeCount: ClosedRange<Int>, memory: ClosedRange<Double> = 2...4, sharesHosts: Bool = false) {
        var random = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 17)
        let costs = ModelCosts.round(
            layers: Int.random(in: 2...6, using: &random), heads: Int.random(in: 1...5, using: &random),
            blocks: Int.random(in: 5...12, using: &random), chunks: Int.random(in: 1...9, using: &random),
            keyValueByteCount: 8, scalarCount: Int.random(in: 0...2, using: &random))
        let modelByteCount = costs.weightsByteCount(ternaryBitsPerWeight: 2)
        let nodes = (0..<Int.random(in: nodeCount, using: &random)).map { index in
            NodeMeasurement.round(
                "node-\(index)", speed: Double.random(in: 0.2...3, using: &random),
                memory: UInt64(programByteCount + modelByteCount * Double.random(in: memory, using: &random)),
                host: sharesHosts ? "host-\(index / 2)" : nil)
        }
        func link() -> LinkMeasurement {
            LinkMeasurement(
                latencySeconds: Double.random(in: 5e-5...5e-3, using: &random),
                bandwidthBytesPerSecond: Double.random(in: 1e7...1e9, using: &random))
        }
        var overrides: [LinkOverride] = []
        for first in nodes.indices {
            for second in nodes.indices where second > first && Bool.random(using: &random) && !sharesHosts {
                overrides.append(LinkOverride(between: nodes[first].name, and: nodes[second].name, link()))
            }
        }
        measurements = ClusterMeasurements(
            nodes: nodes,
            hosts: sharesHosts
                ? [HostMeasurement(name: "host-0", bandwidthBytesPerSecond: 1.5e9, coreCount: 1)] : [],
            link: link(), linkWithinHost: link(), overrides: overrides)
        self.costs = costs
    }

    /// Every pipeline there is: ordered groups of any nodes, and every cut into layers.
    func allPipelines() -> [[(nodes: [String], layers: Range<Int>)]] {
        Self.sequences(of: measurements.nodes.map(\.name), maximumSize: costs.parts.keyValueHeadCount)
            .filter { !$0.isEmpty && $0.count <= costs.layerCount }
            .flatMap { groups in
                Self.cuts(0..<costs.layerCount, into: groups.count).map { Array(zip(groups, $0)) }
            }
    }

    private static func sequences(of nodes: [String], maximumSize: Int) -> [[[String]]] {
        var result: [[[String]]] = [[]]
        for mask in 1..<(1 << nodes.count) where mask.nonzeroBitCount <= maximumSize {
            let group = nodes.indices.filter { mask >> $0 & 1 == 1 }.map { nodes[$0] }
            let rest = nodes.filter { !group.contains($0) }
            let tails = rest.isEmpty ? [[]] : sequences(of: rest, maximumSize: maximumSize)
            result += tails.map { [group] + $0 }
        }
        return result
    }

    private static func cuts(_ layers: Range<Int>, into count: Int) -> [[Range<Int>]] {
        if count == 1 { return [[layers]] }
        return (layers.lowerBound + 1..<layers.upperBound).flatMap { end in
            cuts(end..<layers.upperBound, into: count - 1).map { [layers.lowerBound..<end] + $0 }
        }
    }
}
