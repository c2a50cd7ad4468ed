import ClusterCore
import Transport

/// How fast machines and links of a simulation say they are, for the planner: as unequal as the seed makes them. How long
/// things take in virtual time does not depend on it.
struct SimulatedSpeeds: Sendable {
    /// By machine.
    private let rates: [NodeRates]
    private let seed: UInt64

    init(seed: UInt64, machineCount: Int, memoryByteCount: UInt64) {
        self.seed = seed
        var random = RandomStream(seed: seed, .speeds)
        rates = (0..<machineCount).map { _ in
            let bytesPerSecond = random.pick([1e10, 2e10, 3e10, 6e10])
            let factor = random.pick([5.0, 10, 20])
            let kernels = KernelRates(
                bytesPerSecond: bytesPerSecond, multiplyAddsPerSecond: bytesPerSecond * factor)
            return NodeRates(
                ternary: kernels, other: kernels, attention: kernels, ternaryBitsPerWeight: 1.6, taskSeconds: 4e-6,
                layerSeconds: 5e-6,
                hostBytesPerSecond: bytesPerSecond * 1.2, hostCoreCount: 4, memoryFreeByteCount: memoryByteCount)
        }
    }

    func rates(of machine: Int) -> NodeRates { rates[machine] }

    /// The same in both directions.
    func link(_ one: Int, _ other: Int) -> MeasuredLink {
        let hash = HashModel.mix(seed, UInt64(min(one, other) << 8 | max(one, other)))
        let latencies = [1e-6, 5e-5, 1e-4, 1e-2]
        let bandwidths = [1e8, 1e9, 1e10]
        return MeasuredLink(
            sockets: LinkMeasurement(
                latencySeconds: latencies[Int(hash % 4)], bandwidthBytesPerSecond: bandwidths[Int(hash >> 8) % 3]))
    }
}

extension HashModel {
    /// What the planner takes it for: about 800 MB, most of it in its layers.
    var costs: ModelCosts {
        ModelCosts(
            name: "simulated", parts: parts, hiddenSize: 1024, vocabularySize: vocabularySize, contextLength: 4096,
            layers: [LayerCosts](
                repeating: LayerCosts(
                    keyValueHead: WeightAmount(otherCount: 2e7, otherByteCount: 1e7),
                    feedForwardBlock: WeightAmount(otherCount: 4e7, otherByteCount: 2e7), normByteCount: 8000),
                count: layerCount),
            vocabularyChunk: WeightAmount(otherCount: 1e6, otherByteCount: 1e6), embeddingByteCount: 1e6,
            keyValueByteCount: 64, attentionMultiplyAdds: 1000,
            synchronisation: SynchronisationCosts(bytesPerValue: 8, scalarCount: 0), workspaceByteCountPerRow: 1000)
    }

    /// What ranks share.
    var parts: RankParts {
        RankParts(keyValueHeadCount: headCount, feedForwardSize: 1024, vocabularySize: vocabularySize)
    }
}
