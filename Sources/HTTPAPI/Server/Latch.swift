import Synchronization

/// Something that happens at most once, and that tasks can wait for.
final class Latch: Sendable {
    private struct State {
        var isOpen = false
        var lastWaiter: UInt64 = 0
        var waiters: [UInt64: AsyncStream<Never>.Continuation] = [:]
    }

    private let state = Mutex(State())

    var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Lets go of all who wait, now and later.
    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [:] }
            return state.waiters
        }
        for waiter in waiters.values { waiter.finish() }
    }

    /// Returns when the latch is open, or when the calling task is cancelled.
    func wait() async {
        let (stream, continuation) = AsyncStream<Never>.makeStream()
        let waiter = state.withLock { state -> UInt64? in
            if state.isOpen { return nil }
            state.lastWaiter += 1
            state.waiters[state.lastWaiter] = continuation
            return state.lastWaiter
        }
        guard let waiter else { return }
        for await _ in stream {}
        _ = state.withLock { $0.waiters.removeValue(forKey: waiter) }
    }
}
