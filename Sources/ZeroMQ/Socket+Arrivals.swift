import Glibc
import Transport

extension Socket {
    /// After how many refused messages to look for a signal.
    private static var refusalsPerLook: Int { 16 }

    /// The first message that `accept` takes, or nil when `timeout` has passed or a signal of the poller's arrived.
    ///
    /// - Parameter spinning: how long to look again and again before going to sleep.
    func receive<Arrival>(
        _ poller: inout Poller, timeout: Duration, spinning: Duration = .zero,
        accept: (consuming MessageParts) -> Arrival?
    ) throws(LinkError) -> Arrival? {
        let clock = ContinuousClock()
        let start = clock.now
        let deadline = start + timeout
        var refusedCount = 0
        do throws(ZeroMQError) {
            while true {
                if let parts = try receiveParts() {
                    if let arrival = accept(parts) { return arrival }
                    // A flood of bad messages must not hold the caller here, nor keep signals from it.
                    refusedCount += 1
                    if clock.now >= deadline { return nil }
                    if refusedCount.isMultiple(of: Self.refusalsPerLook),
                        try poller.wait(for: self, timeout: .zero) == .woken
                    {
                        return nil
                    }
                    continue
                }
                if clock.now - start < spinning {
                    // The thread that brings the message may need this very processor.
                    sched_yield()
                    continue
                }
                switch try poller.wait(for: self, timeout: max(.zero, deadline - clock.now)) {
                case .message: continue
                case .woken, .timedOut: return nil
                }
            }
        } catch {
            throw error.asLinkError
        }
    }

    /// Sends over one of a ROUTER's connections, without waiting.
    ///
    /// - Throws: `LinkError.unreachable` if the connection is gone, `.timedOut` if its queue is full.
    func send(
        _ head: consuming Message, payload: consuming Message? = nil, to connection: ConnectionID
    ) throws(LinkError) {
        do throws(ZeroMQError) {
            try send(try Message(copying: connection.routingID.span.bytes), hasMore: true, waits: false)
            guard let payload else { return try send(head, waits: false) }
            try send(head, hasMore: true, waits: false)
            try send(payload, waits: false)
        } catch {
            switch error.code {
            case EHOSTUNREACH: throw .unreachable(connection.node)
            case EAGAIN: throw .timedOut(connection.node, afterMilliseconds: 0)
            default: throw error.asLinkError
            }
        }
    }
}
