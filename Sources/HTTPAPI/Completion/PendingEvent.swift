import ClusterCore

/// The first event of a generation, awaited before the response's header goes out and, if it takes long, further on
/// while the body is written. Letting go of it gives up the generation.
final class PendingEvent: Sendable {
    private let arrived = Latch()
    private let task: Task<GenerationEvent?, any Error>

    init(of stream: AsyncThrowingStream<GenerationEvent, any Error>) {
        // A task of its own, as the two phases of a response have no scope in common.
        task = Task { [arrived] in
            defer { arrived.open() }
            var iterator = stream.makeAsyncIterator()
            return try await iterator.next()
        }
    }

    deinit { task.cancel() }

    /// Waits for the event, but not longer than `limit`.
    ///
    /// - Throws: what the generation failed with, if it did within that time.
    func settle(within limit: Duration) async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [arrived] in await arrived.wait() }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
        try Task.checkCancellation()
        if arrived.isOpen { _ = try await task.value }
    }

    func value() async throws -> GenerationEvent? {
        try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
