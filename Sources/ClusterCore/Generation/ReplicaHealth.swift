/// One replica of the model as the coordinator knows it.
public struct ReplicaHealth: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// No pipeline: workers are missing, or cannot hold the model.
        case waiting
        case loading, serving
    }

    public var state: State
    /// Whether a token has passed through all its stages lately.
    public var isReady: Bool
    /// Why it is not ready, or what is amiss although it is; empty if nothing is.
    public var reason: String
    /// The placement that it loads or serves; nil if there is none.
    public var epoch: UInt64?
    /// Whether it gets requests while other replicas can take them.
    public var breaker: CircuitBreaker.State
    public var runningRequestCount: Int
    public var queuedRequestCount: Int
    /// Tokens of prompts that have not been processed, and tokens that can still be generated, of all its requests.
    public var outstandingPromptTokenCount: Int
    public var outstandingNewTokenCount: Int
    /// Since the last 10 seconds.
    public var tokensPerSecond: Double

    private enum CodingKeys: String, CodingKey {
        case state, reason, epoch, breaker
        case isReady = "is_ready"
        case runningRequestCount = "running_request_count"
        case queuedRequestCount = "queued_request_count"
        case outstandingPromptTokenCount = "outstanding_prompt_token_count"
        case outstandingNewTokenCount = "outstanding_new_token_count"
        case tokensPerSecond = "tokens_per_second"
    }

    public init(
        state: State, isReady: Bool, reason: String, epoch: UInt64?, breaker: CircuitBreaker.State,
        runningRequestCount: Int, queuedRequestCount: Int, outstandingPromptTokenCount: Int,
        outstandingNewTokenCount: Int, tokensPerSecond: Double
    ) {
        self.state = state
        self.isReady = isReady
        self.reason = reason
        self.epoch = epoch
        self.breaker = breaker
        self.runningRequestCount = runningRequestCount
        self.queuedRequestCount = queuedRequestCount
        self.outstandingPromptTokenCount = outstandingPromptTokenCount
        self.outstandingNewTokenCount = outstandingNewTokenCount
        self.tokensPerSecond = tokensPerSecond
    }
}
