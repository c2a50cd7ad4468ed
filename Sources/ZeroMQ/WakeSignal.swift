import CZeroMQ
import Glibc

/// Wakes a thread that waits for messages. Any thread may signal; signals that come before the thread looks are one.
public final class WakeSignal: Sendable {
    let descriptor: CInt

    public init() throws(ZeroMQError) {
        descriptor = eventfd(0, CInt(EFD_NONBLOCK) | CInt(EFD_CLOEXEC))
        if descriptor < 0 { throw ZeroMQError("open", "an eventfd", code: errno) }
    }

    deinit { close(descriptor) }

    /// Wakes the waiting thread, or lets its next wait end at once.
    public func signal() {
        var one: UInt64 = 1
        // It fails only when the counter is full, and then the thread is being woken anyway.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// Waits for a signal, at most `timeout`, and takes it.
    ///
    /// - Returns: whether one came.
    @discardableResult
    public func wait(timeout: Duration) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&item, 1, timeout.wholeMilliseconds) > 0 else { return false }
        clear()
        return true
    }

    /// Takes the signals that have come.
    func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}
