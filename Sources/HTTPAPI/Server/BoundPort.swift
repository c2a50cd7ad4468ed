import Synchronization

/// The port that a server listens on, for those who wait until it does.
final class BoundPort: Sendable {
    private let port = Mutex<Int?>(nil)
    private let settled = Latch()

    var current: Int? { port.withLock { $0 } }

    /// The server listens.
    func settle(_ port: Int) {
        self.port.withLock { $0 = port }
        settled.open()
    }

    /// The server has ended; if it never listened, it will not any more.
    func giveUp() { settled.open() }

    func value() async throws -> Int {
        await settled.wait()
        try Task.checkCancellation()
        guard let port = current else { throw HTTPServerError.notRunning }
        return port
    }
}
