/// Counts events per second over the last ten seconds, in one-second buckets of fixed number.
struct RateWindow: Sendable {
    private static let bucketCount: Int64 = 10
    private var buckets: [(second: Int64, count: Int)] = []

    mutating func add(_ count: Int, at now: Instant) {
        let second = now.nanoseconds / 1_000_000_000
        if let last = buckets.indices.last, buckets[last].second == second {
            buckets[last].count += count
        } else {
            buckets.append((second, count))
        }
        buckets.removeAll { $0.second <= second - Self.bucketCount }
    }

    /// Events per second from the oldest bucket that still counts until now, taken as one second at least.
    func perSecond(at now: Instant) -> Double {
        let second = now.nanoseconds / 1_000_000_000
        let recent = buckets.filter { $0.second > second - Self.bucketCount }
        guard let oldest = recent.first else { return 0 }
        let seconds = max(1, Double(now.nanoseconds) / 1e9 - Double(oldest.second))
        return Double(recent.reduce(0) { $0 + $1.count }) / seconds
    }
}
