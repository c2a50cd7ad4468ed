import ClusterCore
import Transport

/// What a process runs on: a name, a clock of its own, and what has befallen it.
final class Machine {
    /// 0 is the coordinator's.
    let index: Int
    let node: NodeID
    let clock: SkewedClock
    /// Seconds by which its calendar clock was set back.
    var setBackSeconds = 0
    /// Until then, all threads of its process stand still.
    var frozenUntil = Instant.zero
    /// Until then, it computes so many times slower.
    var slowUntil = Instant.zero
    var slowness = 1
    /// Without power: it neither sends nor takes anything, and says nothing of it.
    var isDark = false
    /// Counts the processes that it has had.
    var processCount = 0
    /// Whether there is one.
    var isRunning = false

    init(index: Int, node: NodeID, clock: SkewedClock) {
        self.index = index
        self.node = node
        self.clock = clock
    }

    /// How long something takes here that begins now.
    func time(_ duration: Duration, at now: Instant) -> Duration {
        now < slowUntil ? duration * slowness : duration
    }
}

/// A clock that runs a little fast or slow, from any start.
struct SkewedClock: Sendable {
    /// Parts in a million that it is fast.
    let skew: Int64
    /// Nanoseconds that it shows at the start.
    let offset: Int64

    /// What it shows.
    func reading(at now: Instant) -> Instant {
        Instant(nanoseconds: offset + now.nanoseconds * (1_000_000 + skew) / 1_000_000)
    }

    /// The first instant at which it shows at least this; at most a quarter of an hour after the start.
    func instant(of reading: Instant) -> Instant {
        let elapsed = min(max(0, reading.nanoseconds - offset), 900_000_000_000)
        var instant = Instant(nanoseconds: elapsed * 1_000_000 / (1_000_000 + skew))
        while self.reading(at: instant).nanoseconds - offset < elapsed { instant.nanoseconds += 1 }
        return instant
    }
}
