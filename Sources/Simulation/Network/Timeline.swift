import ClusterCore
import HeapModule

/// Virtual time, and what is to happen when. Of what happens at the same instant, what was scheduled first comes first.
final class Timeline {
    private struct Entry: Comparable {
        var at: Instant
        var order: UInt64
        var occurrence: Occurrence

        static func < (left: Entry, right: Entry) -> Bool { (left.at, left.order) < (right.at, right.order) }
        static func == (left: Entry, right: Entry) -> Bool { left.order == right.order }
    }

    private(set) var now = Instant.zero
    private var entries = Heap<Entry>()
    private var lastOrder: UInt64 = 0

    /// What has been scheduled for the past happens now.
    func schedule(_ occurrence: Occurrence, at time: Instant) {
        lastOrder += 1
        entries.insert(Entry(at: max(time, now), order: lastOrder, occurrence: occurrence))
    }

    func schedule(_ occurrence: Occurrence, after delay: Duration) {
        schedule(occurrence, at: now.advanced(by: delay))
    }

    /// Goes on to what happens next.
    func next() -> Occurrence? {
        guard let entry = entries.popMin() else { return nil }
        now = entry.at
        return entry.occurrence
    }
}

/// Something that happens at an instant. Machines are called by their index; 0 is the coordinator's.
enum Occurrence: Sendable {
    /// A process starts on a machine.
    case start(machine: Int)
    /// A thread's turn, if it is still of this process.
    case turn(ThreadName, machine: Int, process: Int)
    /// The message that is due next on a lane.
    case arrival(channel: Int, Lane.Direction)
    /// A channel's client tries to connect.
    case connecting(channel: Int)
    /// A channel's ends have not heard of each other for too long.
    case silence(channel: Int, connection: Int)
    case submission(request: Int)
    case cancellation(request: Int)
    /// A client that has lost its connection tries another one.
    case reconnection(request: Int)
    /// The coordinator notices that a client's connection is gone.
    case absence(request: Int)
    /// An operator lets a worker be used again that was drained.
    case resumption(machine: Int)
    /// A second has passed, in which faults may begin.
    case second
    /// Faults stop.
    case calm
    /// What must hold by now is checked.
    case inspection
}

enum ThreadName: Sendable {
    /// The coordinator's thread, or a worker's control thread.
    case control
    /// A worker's compute thread.
    case compute
}
