public import ClusterCore

/// What generates: the coordinator, as the HTTP side sees it.
public protocol GenerationEngine: Sendable {
    /// Admits one sequence and reports its tokens as they are committed, then one `finished`.
    ///
    /// It returns as soon as the request has its place in the queue. Ending the stream's iteration, by cancelling the
    /// iterating task or by letting go of the stream, gives up the request and frees what it held on the workers. The
    /// stream fails with a ``GenerationError``.
    func generate(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error>

    /// The same for a request of a kept stream, from its first token: what it has sampled before and what follows. A request
    /// that is not known is admitted.
    func read(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error>

    /// Keeps what is needed to write a streamed answer again. To be called before its requests are read.
    func keep(_ stream: KeptStream)

    /// A stream that was kept; nil if it is not known, or no more.
    func keptStream(_ id: String) async throws(GenerationError) -> KeptStream?

    /// Log-probabilities of a given text, computed in slices of at most `chunk` tokens, with the `topCount` best tokens
    /// of each position. Cancelling the calling task gives it up.
    func score(tokens: [Int32], topCount: Int, chunk: Int) async throws(GenerationError) -> ScoredText

    /// What is known of the cluster at this moment.
    func health() async -> ClusterHealth

    /// Has all workers and links measured anew; returns how many measurements that are, as soon as it is under way.
    func measure() async throws(MeasuringRefusal) -> Int

    /// Begins an operation on the cluster; health shows how far it is.
    func operate(_ operation: ClusterOperation) async throws(OperationRefusal)

    /// What a plan for the cluster is made from; nil if it cannot be had at the moment.
    func planningInput() async -> PlanningInput?

    /// Whether a token has passed through every stage lately, and if not, why.
    func readiness() -> (isReady: Bool, reason: String)
}
