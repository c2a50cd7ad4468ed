import Collectives
import Kernels
import Transport

/// Measures how fast two workers of a machine exchange parts in memory that they share, as ranks of a stage do: both
/// sides run it at the same time, in lockstep.
struct MemoryMeter {
    /// Bytes in a part, and how often it is exchanged.
    private static let rounds: [(byteCount: Int, count: Int)] = [(64, 200), (10 << 10, 100), (1 << 20, 10)]
    private static let slotCount = 2
    private static let timeout: Duration = .seconds(2)

    private let links: SharedMemoryLinks
    private let other: Int
    private let bytes: ProbeBytes

    /// - Parameters:
    ///   - name: the same on both sides.
    ///   - makes: one side makes the memory, before the other looks for it.
    init(_ name: String, peer: NodeID, makes: Bool, isAbandoned: @escaping () -> Bool) throws(StageError) {
        let largest = Self.rounds[Self.rounds.count - 1].byteCount
        do throws(KernelError) { bytes = try ProbeBytes(limit: largest) } catch {
            throw StageError("\(error)", isRetryable: true)
        }
        let region = try RankLinking.region(
            name, SharedRegion.Shape(memberCount: 2, slotCount: Self.slotCount, slotByteCount: largest), makes: makes,
            within: Self.timeout, isAbandoned: isAbandoned)
        let rank = makes ? 0 : 1
        other = 1 - rank
        links = SharedMemoryLinks(
            region, ranks: [0, 1], rank: rank, rankCount: 2,
            wait: ExchangeWait(names: [peer.name, peer.name], timeout: Self.timeout, isAbandoned: isAbandoned))
    }

    /// The median of each size. An exchange goes both ways at once, so a round trip is two of them.
    func measure(_ order: UInt64) throws(ExchangeError) -> LinkMeasurement {
        links.begin(StepID(order), rowCount: 1)
        var trips: [LinkMeasurement.RoundTrip] = []
        for (byteCount, count) in Self.rounds {
            var seconds: [Double] = []
            for _ in 0..<count {
                let start = ContinuousClock.now
                try bytes.with(byteCount) { bytes throws(ExchangeError) in try links.post(bytes) }
                try links.read(from: other, byteCount: byteCount) { bytes.take($0) }
                links.finishRound()
                seconds.append(start.duration(to: .now) / .seconds(1))
            }
            trips.append(.init(byteCount: byteCount, seconds: 2 * seconds.sorted()[count / 2]))
        }
        let (small, large) = (trips[0], trips[trips.count - 1])
        return LinkMeasurement(
            roundTrips: trips,
            bandwidthBytesPerSecond: Double(large.byteCount) * 2
                / max(large.seconds - small.seconds, large.seconds / 2, 1e-9), messageSeconds: small.seconds / 4)
    }
}

/// What probes carry, and where those of the other side are copied to.
final class ProbeBytes {
    private let tensor: Tensor
    private var taken: Tensor
    private static let rowByteCount = 64

    /// - Parameter limit: a multiple of 64.
    init(limit: Int) throws(KernelError) {
        tensor = try Tensor(rows: limit / Self.rowByteCount, columns: Self.rowByteCount / 4)
        taken = try Tensor(rows: limit / Self.rowByteCount, columns: Self.rowByteCount / 4)
    }

    /// - Parameter byteCount: a multiple of 64.
    func with<Failure: Error>(_ byteCount: Int, _ body: (RawSpan) throws(Failure) -> Void) throws(Failure) {
        try tensor.withBytes(rows: byteCount / Self.rowByteCount, body)
    }

    /// - Parameter bytes: a multiple of 64 of them, at most the limit.
    func take(_ bytes: RawSpan) { taken.assign(bytes) }
}
