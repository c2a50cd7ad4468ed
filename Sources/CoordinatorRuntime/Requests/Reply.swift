import Synchronization

/// One answer for one task, given once; later answers are ignored.
final class Reply<Value: Sendable>: Sendable {
    private let state = Mutex(State())

    private struct State {
        var value: Value?
        var reader: CheckedContinuation<Value, Never>?
        var isAnswered = false
    }

    func answer(_ value: Value) {
        let reader = state.withLock { state -> CheckedContinuation<Value, Never>? in
            guard !state.isAnswered else { return nil }
            state.isAnswered = true
            guard let reader = state.reader else {
                state.value = value
                return nil
            }
            state.reader = nil
            return reader
        }
        reader?.resume(returning: value)
    }

    /// The answer, if it was given and nobody has waited for it; nil otherwise.
    var given: Value? { state.withLock { $0.value } }

    /// Waits for the answer, or for `limit`: then, or when the task is cancelled, `late` is the answer. To be called once.
    func wait(within limit: Duration, else late: Value) async -> Value {
        // The end of this scope cancels it.
        async let _: Void = give(late, after: limit)
        return await wait()
    }

    private func give(_ late: Value, after limit: Duration) async {
        try? await Task.sleep(for: limit)
        answer(late)
    }

    /// Waits for the answer. To be called once.
    func wait() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state -> Value? in
                if let value = state.value { return value }
                state.reader = continuation
                return nil
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}
