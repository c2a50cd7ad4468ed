/// What ends the work on a request from outside.
struct Interruptions: Sendable {
    /// The client has closed its connection, or at least its sending half, which amounts to the same.
    var disconnected: Latch
    /// The server's grace for running requests is over.
    var shutDown: Latch

    /// Runs `operation` until it ends or is cancelled by an interruption.
    ///
    /// - Throws: ``ClientDisconnected``, ``APIError/shuttingDown``, or what `operation` throws.
    func withInterruption<Value: Sendable>(
        _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await withThrowingTaskGroup(of: Value.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await waitForDisconnect() }
            group.addTask { try await waitForShutdown() }
            group.addTask(operation: operation)
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    func waitForDisconnect() async throws -> Never {
        await disconnected.wait()
        try Task.checkCancellation()
        throw ClientDisconnected()
    }

    func waitForShutdown() async throws -> Never {
        await shutDown.wait()
        try Task.checkCancellation()
        throw APIError.shuttingDown
    }
}
