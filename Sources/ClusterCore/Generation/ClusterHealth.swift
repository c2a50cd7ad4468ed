/// What the coordinator has observed of the cluster, as `ryz health --json` and `GET /v1/ryz/health` show it.
public struct ClusterHealth: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable {
        /// A token has passed through every stage within the last probe interval.
        case healthy
        /// Serving, or about to, with something amiss that `reason` names.
        case degraded
        /// Not serving for the moment: another placement takes over, and open requests wait for it.
        case recovering
        /// Not serving.
        case down
    }

    public var clusterID: String
    public var model: String
    public var state: State
    /// Why the state is not `healthy`; empty when it is.
    public var reason: String
    public var epoch: UInt64
    /// Seconds since a token last passed through all stages; nil if none has.
    public var secondsSinceLastToken: Double?
    public var runningRequestCount: Int
    public var queuedRequestCount: Int
    /// How many of the queued requests had begun and wait to be rebuilt after a loss.
    public var interruptedRequestCount: Int
    public var queueLimit: Int
    /// Over all requests, since the last 10 seconds.
    public var tokensPerSecond: Double
    /// Frames that were dropped because they were malformed, from an unknown sender or an older epoch.
    public var droppedFrameCount: UInt64
    /// In order of name.
    public var nodes: [NodeHealth]
    /// Tokens whose KV is kept of requests that have ended, for those that begin with the same ones.
    public var keptTokenCount = 0
    /// Tokens that were not computed for that reason since the coordinator started.
    public var reusedTokenCount: UInt64 = 0
    /// What has been measured of the links between nodes.
    public var measuring = MeasuringHealth()
    /// As often as the model is placed; each node says to which it belongs.
    public var replicas: [ReplicaHealth] = []

    private enum CodingKeys: String, CodingKey {
        case clusterID = "cluster_id"
        case model, state, reason, epoch
        case secondsSinceLastToken = "seconds_since_last_token"
        case runningRequestCount = "running_request_count"
        case queuedRequestCount = "queued_request_count"
        case interruptedRequestCount = "interrupted_request_count"
        case queueLimit = "queue_limit"
        case tokensPerSecond = "tokens_per_second"
        case droppedFrameCount = "dropped_frame_count"
        case keptTokenCount = "kept_token_count"
        case reusedTokenCount = "reused_token_count"
        case nodes, measuring, replicas
    }

    public init(
        clusterID: String, model: String, state: State, reason: String, epoch: UInt64, secondsSinceLastToken: Double?,
        runningRequestCount: Int, queuedRequestCount: Int, interruptedRequestCount: Int = 0, queueLimit: Int,
        tokensPerSecond: Double,
        droppedFrameCount: UInt64, nodes: [NodeHealth]
    ) {
        self.clusterID = clusterID
        self.model = model
        self.state = state
        self.reason = reason
        self.epoch = epoch
        self.secondsSinceLastToken = secondsSinceLastToken
        self.runningRequestCount = runningRequestCount
        self.queuedRequestCount = queuedRequestCount
        self.interruptedRequestCount = interruptedRequestCount
        self.queueLimit = queueLimit
        self.tokensPerSecond = tokensPerSecond
        self.droppedFrameCount = droppedFrameCount
        self.nodes = nodes
    }
}
