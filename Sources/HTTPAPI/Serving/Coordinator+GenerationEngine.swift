public import ClusterCore
public import CoordinatorRuntime

extension Coordinator: GenerationEngine {
    public func generate(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let stream: GenerationStream = try await generate(request)
        // Reading an event cancels the request when the reading task is cancelled, and letting go of the closure lets go
        // of the stream, which does the same.
        return AsyncThrowingStream { try await stream.next() }
    }

    public func read(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let stream: GenerationStream = try await read(request)
        return AsyncThrowingStream { try await stream.next() }
    }
}
