import ClusterCore
import Logging
import Transport

/// Logs who sent frames that were dropped, and why: at most once in ten seconds, at most eight lines.
struct DropLog {
    private static let interval = Duration.seconds(10)
    private static let lineLimit = 8

    private var lastTotal: UInt64 = 0
    private var lastCounts: [String: UInt64] = [:]
    private var quietUntil = Instant.zero

    mutating func report(
        core: DropCounters, data: DropCounters, control: DropCounters, weights: DropCounters, at now: Instant,
        to logger: Logger
    ) {
        let total = core.total + data.total + control.total + weights.total
        guard total > lastTotal, now >= quietUntil else { return }
        lastTotal = total
        quietUntil = now.advanced(by: Self.interval)
        var lineCount = 0
        for (plane, counters) in [("data", data), ("control", control), ("weights", weights), ("any", core)] {
            for entry in counters.entries {
                let key = "\(plane) \(entry.sender) \(entry.reason.rawValue)"
                let added = entry.count - lastCounts[key, default: 0]
                guard added > 0 else { continue }
                lastCounts[key] = entry.count
                lineCount += 1
                guard lineCount <= Self.lineLimit else { continue }
                logger.warning(
                    "frames dropped",
                    metadata: [
                        "sender": "\(entry.sender)", "reason": "\(entry.reason.rawValue)", "count": "\(added)",
                        "plane": "\(plane)",
                    ])
            }
        }
    }
}
