import CZeroMQ
import Dispatch
import Glibc

/// A thread of our own, for the sockets and computations that must not share one.
public final class OwnedThread: Sendable {
    private let ended = DispatchSemaphore(value: 0)

    private init() {}

    /// Runs `body` on a new thread.
    ///
    /// - Parameter name: shown by `top` and debuggers; at most 15 bytes of it.
    public static func start(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(ZeroMQError) -> OwnedThread {
        let thread = OwnedThread()
        let work = Work(name: name, body: body, ended: thread.ended)
        let unmanaged = Unmanaged.passRetained(work)
        var identifier = pthread_t()
        let code = pthread_create(
            &identifier, nil,
            { argument in
                guard let argument else { return nil }
                let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
                _ = work.name.withCString { ryz_name_thread($0) }
                work.body()
                work.ended.signal()
                return nil
            }, unmanaged.toOpaque())
        guard code == 0 else {
            unmanaged.release()
            throw ZeroMQError("start thread", name, code: code)
        }
        pthread_detach(identifier)
        return thread
    }

    /// Waits for the end of the thread's work, at most `limit`.
    ///
    /// - Returns: whether it has ended.
    public func join(within limit: Duration) -> Bool {
        guard ended.wait(timeout: limit.fromNow) == .success else { return false }
        // For whoever joins next.
        ended.signal()
        return true
    }

    private final class Work: Sendable {
        let name: String
        let body: @Sendable () -> Void
        let ended: DispatchSemaphore

        init(name: String, body: @escaping @Sendable () -> Void, ended: DispatchSemaphore) {
            self.name = name
            self.body = body
            self.ended = ended
        }
    }
}
