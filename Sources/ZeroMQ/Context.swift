import CZeroMQ
import Dispatch

/// libzmq's context: its I/O thread and all sockets of the process.
public final class Context: Sendable {
    /// The one context of this process.
    public static let shared = Context()

    nonisolated(unsafe) let handle: UnsafeMutableRawPointer?

    private init() {
        handle = zmq_ctx_new()
        guard let handle else { return }
        zmq_ctx_set(handle, ZMQ_IO_THREADS, 1)
        zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, 4096)
        // zmq_ctx_set(3), ZMQ_BLOCKY: "By default the context will block, forever, on a zmq_ctx_term call […] If you
        // set this option to false (0), then all new sockets in the context will be given a linger timeout of zero."
        zmq_ctx_set(handle, ZMQ_BLOCKY, 0)
    }

    /// Ends the context at the end of the process, so that last messages leave within their sockets' linger times.
    ///
    /// Every socket must have been closed. Calls on sockets that are still open fail from now on.
    ///
    /// - Returns: whether all was sent, and the context ended, within `limit`.
    @discardableResult
    public func terminate(within limit: Duration) -> Bool {
        guard let handle else { return true }
        // Without zmq_ctx_shutdown, a thread that waits in a socket call would keep the socket open, and
        // zmq_ctx_term(3) waits until "all sockets open within context have been closed with zmq_close()".
        zmq_ctx_shutdown(handle)
        nonisolated(unsafe) let context = handle
        let ended = DispatchSemaphore(value: 0)
        let thread = try? OwnedThread.start(name: "zmq-term") {
            zmq_ctx_term(context)
            ended.signal()
        }
        return thread != nil && ended.wait(timeout: limit.fromNow) == .success
    }
}

extension Duration {
    /// In milliseconds, rounded up so that a short wait does not become a busy one; within an `Int32`.
    var wholeMilliseconds: CInt {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 2_000_000 else { return 2_000_000_000 }
        return CInt(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }

    /// This long from now, for Dispatch.
    var fromNow: DispatchTime { .now() + .milliseconds(Int(wholeMilliseconds)) }
}
