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
