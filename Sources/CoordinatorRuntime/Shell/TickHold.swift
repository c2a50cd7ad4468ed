package import ClusterCore

/// Holds judgement for a moment when this process itself has been away.
///
/// After a stopped process goes on, or a machine wakes, all heartbeats are old and the new ones have yet to be read. To
/// look at the time first would lose every worker.
package struct TickHold: Sendable {
    /// A thread may well be this much late on a busy machine.
    private static let tolerance = Duration.milliseconds(500)

    private let length: Duration
    private var wakeExpected = Instant.zero
    private var heldUntil = Instant.zero

    /// - Parameter length: time enough for every worker that is there to be heard.
    package init(length: Duration) { self.length = length }

    /// The thread waits until then at the latest.
    package mutating func sleep(until wake: Instant) { wakeExpected = wake }

    /// The thread goes on.
    package mutating func wake(at now: Instant) {
        guard wakeExpected.duration(to: now) > Self.tolerance else { return }
        heldUntil = now.advanced(by: length)
    }

    /// When a deadline may be acted on.
    package func delaying(_ deadline: Instant) -> Instant { max(deadline, heldUntil) }
}
