import ClusterCore
import HTTPAPI
import Synchronization
import Transport

/// An engine that plays what a test wrote down, with the limits and stop tokens of the request, and that remembers what
/// was asked of it and how it ended.
final class ScriptedEngine: GenerationEngine {
    enum Ending: Sendable {
        /// As the request says: the token limit. Stop tokens in the script end it before.
        case byItself
        case failure(GenerationError)
        /// Nothing more comes, for ever.
        case hang
    }

    struct Script: Sendable {
        var tokens: [Int32]
        var ending = Ending.byItself
        /// Thrown instead of starting.
        var refusal: GenerationError?
        /// Tokens that are reported as reused; 0 reports none.
        var reusedTokenCount = 0
    }

    private struct State {
        var requests: [GenerationRequest] = []
        var cancelled: [String] = []
        var runningCount = 0
        var mostRunning = 0
        var operations: [ClusterOperation] = []
        var streams: [String: KeptStream] = [:]
        var scored: [(tokens: [Int32], topCount: Int, chunk: Int)] = []
    }

    private let state = Mutex(State())
    private let script: @Sendable (GenerationRequest) -> Script
    private let slotCount: Int
    private let cancellations: AsyncStream<String>
    private let noteCancellation: AsyncStream<String>.Continuation
    let isReady: Bool

    /// - Parameter slotCount: requests that may run at a time; more are refused with `queueFull`.
    init(
        isReady: Bool = true, slotCount: Int = .max, script: @escaping @Sendable (GenerationRequest) -> Script
    ) {
        self.isReady = isReady
        self.slotCount = slotCount
        self.script = script
        (cancellations, noteCancellation) = AsyncStream<String>.makeStream()
    }

    /// An engine that always writes `text`, byte by byte, and then ends the turn.
    convenience init(saying text: String) {
        self.init { _ in Script(tokens: text.utf8.map(Int32.init) + [ByteCodec.end]) }
    }

    var requests: [GenerationRequest] { state.withLock { $0.requests } }
    var cancelledRequests: [String] { state.withLock { $0.cancelled } }
    var operations: [ClusterOperation] { state.withLock { $0.operations } }
    var mostRunning: Int { state.withLock { $0.mostRunning } }
    var scoredTexts: [(tokens: [Int32], topCount: Int, chunk: Int)] { state.withLock { $0.scored } }

    /// The id of the next request that is given up.
    func nextCancellation() async -> String? {
        var iterator = cancellations.makeAsyncIterator()
        return await iterator.next()
    }

    func generate(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        let script = script(request)
        if let refusal = script.refusal { throw refusal }
        let isAdmitted = state.withLock { state in
            guard state.runningCount < slotCount else { return false }
            state.requests.append(request)
            state.runningCount += 1
            state.mostRunning = max(state.mostRunning, state.runningCount)
            return true
        }
        guard isAdmitted else { throw .queueFull(limit: slotCount, retryAfterSeconds: 3) }
        return AsyncThrowingStream { continuation in
            continuation.onTermination = { [self] termination in
                state.withLock { $0.runningCount -= 1 }
                guard case .cancelled = termination else { return }
                state.withLock { $0.cancelled.append(request.id) }
                noteCancellation.yield(request.id)
            }
            play(script, of: request, into: continuation)
        }
    }

    func read(
        _ request: GenerationRequest
    ) async throws(GenerationError) -> AsyncThrowingStream<GenerationEvent, any Error> {
        try await generate(request)
    }

    func keep(_ stream: KeptStream) { state.withLock { $0.streams[stream.id] = stream } }

    func keptStream(_ id: String) async -> KeptStream? { state.withLock { $0.streams[id] } }

    private func play(
        _ script: Script, of request: GenerationRequest,
        into continuation: AsyncThrowingStream<GenerationEvent, any Error>.Continuation
    ) {
        if script.reusedTokenCount > 0 { continuation.yield(.reused(tokenCount: script.reusedTokenCount)) }
        for (index, token) in script.tokens.prefix(request.maximumTokenCount).enumerated() {
            continuation.yield(.token(Self.choice(token, index, request.sampling.topLogProbabilityCount)))
            if request.stopTokens.contains(token) {
                continuation.yield(.finished(.stop))
                return continuation.finish()
            }
        }
        switch script.ending {
        case .byItself:
            continuation.yield(.finished(.length))
            continuation.finish()
        case .failure(let error): continuation.finish(throwing: error)
        case .hang: break
        }
    }

    /// Log-probabilities that tell tokens apart: that of generated token `index` is `−(index + 1)/8`.
    private static func choice(_ token: Int32, _ index: Int, _ topCount: Int?) -> TokenChoice {
        guard let topCount else { return TokenChoice(token: token) }
        let own = -Float(index + 1) / 8
        let top = (0..<topCount).map { rank in
            TokenLogProbability(token: rank == 0 ? token : Int32(65 + rank), logProbability: own - Float(rank))
        }
        return TokenChoice(token: token, logProbability: own, top: top)
    }

    func score(tokens: [Int32], topCount: Int, chunk: Int) async throws(GenerationError) -> ScoredText {
        state.withLock { $0.scored.append((tokens, topCount, chunk)) }
        let top = tokens.indices.map { position in
            (0..<topCount).map { TokenLogProbability(token: Int32(65 + $0), logProbability: -Float(position + $0)) }
        }
        return ScoredText(
            nextLogProbabilities: tokens.indices.dropFirst().map { -Float($0) / 4 }, top: top,
            logitsDigest: Array(0..<32))
    }

    func health() async -> ClusterHealth {
        ClusterHealth(
            clusterID: "test", model: "byte-model", state: isReady ? .healthy : .down,
            reason: isReady ? "" : "no workers",
            epoch: 7, secondsSinceLastToken: 0.5, runningRequestCount: 1, queuedRequestCount: 2, queueLimit: 32,
            tokensPerSecond: 12.5, droppedFrameCount: 3,
            nodes: [
                NodeHealth(
                    name: "box-1", state: .ready, detail: "", processID: 42, cpu: "Ryzen", instructionSet: "avx2",
                    threadCount: 8, memoryUsedByteCount: 1, memoryFreeByteCount: 2, epoch: nil, stage: 0, rank: 0,
                    firstLayer: 0, endLayer: 10, firstKeyValueHead: 0, endKeyValueHead: 5,
                    keyValueTokenCount: 5, keyValueTokenCapacity: 100, secondsSinceHeartbeat: 0.1,
                    roundTripMilliseconds: nil, tokensPerSecond: 3, droppedFrameCount: 0)
            ])
    }

    func measure() async throws(MeasuringRefusal) -> Int {
        if !isReady { throw MeasuringRefusal("workers are loading") }
        return 3
    }

    /// Knows of `box-1`, which it cannot do without, and of `box-2`.
    func operate(_ operation: ClusterOperation) async throws(OperationRefusal) {
        switch operation {
        case .drain(let node, _) where !["box-1", "box-2"].contains(node.name),
            .resume(let node) where !["box-1", "box-2"].contains(node.name):
            throw OperationRefusal("there is no worker \(node)", isUnknownNode: true)
        case .drain(let node, isForced: false) where node.name == "box-1":
            throw OperationRefusal("nobody can take over")
        case .drain, .resume, .rebalance, .shutDown: break
        }
        state.withLock { $0.operations.append(operation) }
    }

    func planningInput() async -> PlanningInput? {
        guard isReady else { return nil }
        let rates = KernelRates(bytesPerSecond: 1e9, multiplyAddsPerSecond: 2e9)
        let node = NodeMeasurement(
            name: "box-1", memoryTotalByteCount: 2, memoryFreeByteCount: 1, ternary: rates, other: rates)
        return PlanningInput(
            measurements: ClusterMeasurements(nodes: [node]), missing: ["the link a – b"], model: nil,
            contextLength: 512, keyValueTokenCapacity: 1024, maximumStepRowCount: 64,
            constraints: PlanConstraints(rankCounts: [1], excludedNodes: ["old"]))
    }

    func readiness() -> (isReady: Bool, reason: String) {
        isReady ? (true, "") : (false, "waiting for 2 of 3 workers")
    }
}
