import CZeroMQ
import Glibc

/// Waits for a message or a wake signal, whichever is first.
public struct Poller: ~Copyable {
    /// Why a wait ended.
    public enum Outcome: Sendable {
        case message, woken, timedOut
    }

    private let signals: [WakeSignal]
    private let items: UnsafeMutablePointer<zmq_pollitem_t>

    /// - Parameter signals: what ends a wait besides a message.
    public init(signals: [WakeSignal]) {
        self.signals = signals
        items = .allocate(capacity: signals.count + 1)
        items.initialize(to: zmq_pollitem_t(socket: nil, fd: -1, events: Int16(ZMQ_POLLIN), revents: 0))
        for (index, signal) in signals.enumerated() {
            (items + index + 1).initialize(
                to: zmq_pollitem_t(socket: nil, fd: signal.descriptor, events: Int16(ZMQ_POLLIN), revents: 0))
        }
    }

    deinit { items.deallocate() }

    /// Waits until one of the sockets has a message, a signal came, or `timeout` is over. Signals are cleared.
    ///
    /// - Parameter handles: of sockets that this thread may use.
    static func wait(
        forAnyOf handles: [UnsafeMutableRawPointer?], signals: [WakeSignal], timeout: Duration
    ) throws(ZeroMQError) {
        var items = handles.map { zmq_pollitem_t(socket: $0, fd: -1, events: Int16(ZMQ_POLLIN), revents: 0) }
        items += signals.map {
            zmq_pollitem_t(socket: nil, fd: $0.descriptor, events: Int16(ZMQ_POLLIN), revents: 0)
        }
        let ready = zmq_poll(&items, CInt(items.count), Int(timeout.wholeMilliseconds))
        if ready < 0 {
            let code = zmq_errno()
            if code == EINTR { return }
            throw ZeroMQError("wait for", "\(handles.count) sockets", code: code)
        }
        for (signal, item) in zip(signals, items[handles.count...]) where item.revents != 0 { signal.clear() }
    }

    /// Waits until `socket` has a message, a signal came, or `timeout` is over. Signals are cleared.
    public mutating func wait(for socket: borrowing Socket, timeout: Duration) throws(ZeroMQError) -> Outcome {
        items[0].socket = socket.handle
        defer { items[0].socket = nil }
        let ready = zmq_poll(items, CInt(signals.count + 1), Int(timeout.wholeMilliseconds))
        if ready < 0 {
            let code = zmq_errno()
            // A signal handler ran: as good as a wake-up, the caller looks at its clock and comes back.
            if code == EINTR { return .woken }
            throw ZeroMQError("wait for", socket.name, code: code)
        }
        var isWoken = false
        for (index, signal) in signals.enumerated() where items[index + 1].revents != 0 {
            signal.clear()
            isWoken = true
        }
        if isWoken { return .woken }
        return ready > 0 ? .message : .timedOut
    }
}
