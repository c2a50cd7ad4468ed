import ClusterCore
import Synchronization

/// The events of one generation: tokens, then `finished`.
///
/// Iterate over it once. When the last copy of the stream and its iterator is gone, or the iterating task is cancelled,
/// the work on the workers stops. What is not consumed yet waits here; that is never more than the request's
/// maximum token count.
public struct GenerationStream: AsyncSequence, Sendable {
    public typealias Element = GenerationEvent
    public typealias Failure = GenerationError

    private let subscription: Subscription

    init(buffer: EventBuffer, cancel: @escaping @Sendable (EventBuffer) -> Void) {
        subscription = Subscription(buffer: buffer, cancel: cancel)
    }

    /// The next event, as an iterator gives it.
    public func next() async throws(GenerationError) -> GenerationEvent? {
        var iterator = makeAsyncIterator()
        return try await iterator.next()
    }

    public func makeAsyncIterator() -> Iterator { Iterator(subscription: subscription) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let subscription: Subscription

        /// The next event; nil after `finished` or when the task is cancelled.
        ///
        /// - Throws: `GenerationError` when the generation cannot go on.
        public mutating func next() async throws(GenerationError) -> GenerationEvent? {
            let subscription = subscription
            let result = await withTaskCancellationHandler {
                await subscription.buffer.next()
            } onCancel: {
                subscription.end()
            }
            return try result.get()
        }
    }

    /// Cancels the request when nobody can read its events any more.
    fileprivate final class Subscription: Sendable {
        let buffer: EventBuffer
        private let cancel: @Sendable (EventBuffer) -> Void

        init(buffer: EventBuffer, cancel: @escaping @Sendable (EventBuffer) -> Void) {
            self.buffer = buffer
            self.cancel = cancel
        }

        deinit { end() }

        func end() {
            if buffer.close() { cancel(buffer) }
        }
    }
}

/// Events between the coordinator's thread and the task that reads them.
final class EventBuffer: Sendable {
    typealias Next = Result<GenerationEvent?, GenerationError>

    private let state = Mutex(State())

    private struct State {
        var events: [GenerationEvent] = []
        var firstIndex = 0
        var reader: CheckedContinuation<Next, Never>?
        /// What comes after the events; nil while more may come.
        var end: Next?
    }

    /// Called by the coordinator's thread.
    func append(_ event: GenerationEvent) {
        let reader = state.withLock { state -> CheckedContinuation<Next, Never>? in
            guard state.end == nil else { return nil }
            if case .finished = event { state.end = .success(nil) }
            guard let reader = state.reader else {
                state.events.append(event)
                return nil
            }
            state.reader = nil
            return reader
        }
        reader?.resume(returning: .success(event))
    }

    /// Called by the coordinator's thread.
    func fail(_ error: GenerationError) {
        let reader = state.withLock { state -> CheckedContinuation<Next, Never>? in
            guard state.end == nil else { return nil }
            guard let reader = state.reader else {
                state.end = .failure(error)
                return nil
            }
            state.end = .success(nil)
            state.reader = nil
            return reader
        }
        reader?.resume(returning: .failure(error))
    }

    /// Ends reading; whether the generation had not ended yet.
    func close() -> Bool {
        let (wasOpen, reader) = state.withLock { state -> (Bool, CheckedContinuation<Next, Never>?) in
            let wasOpen = state.end == nil
            if wasOpen {
                state.end = .success(nil)
                state.events = []
                state.firstIndex = 0
            }
            defer { state.reader = nil }
            return (wasOpen, state.reader)
        }
        reader?.resume(returning: .success(nil))
        return wasOpen
    }

    /// The next event. One reader at a time: a second one gets the end.
    func next() async -> Next {
        await withCheckedContinuation { continuation in
            let next = state.withLock { state -> Next? in
                if state.firstIndex < state.events.count {
                    let event = state.events[state.firstIndex]
                    state.firstIndex += 1
                    if state.firstIndex == state.events.count {
                        state.events.removeAll(keepingCapacity: true)
                        state.firstIndex = 0
                    }
                    return .success(event)
                }
                if let end = state.end {
                    state.end = .success(nil)
                    return end
                }
                guard state.reader == nil else { return .success(nil) }
                state.reader = continuation
                return nil
            }
            if let next { continuation.resume(returning: next) }
        }
    }
}
