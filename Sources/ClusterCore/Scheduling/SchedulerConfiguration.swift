/// The limits that the scheduler goes by.
public struct SchedulerConfiguration: Sendable, Equatable {
    /// Longest sequence, in tokens.
    public var contextLength: Int
    /// Token ids are in `0..<vocabularySize`.
    public var vocabularySize: Int
    /// Most sequences that run at a time, 1...1024.
    public var maximumRunningCount: Int
    /// Most requests that wait; beyond it they are refused.
    public var queueLimit: Int
    /// Most rows in a step.
    public var maximumStepRowCount: Int
    /// How long the oldest step may go without a result since it was sent or since the result before it. A step of
    /// many rows gets more: once more for each 256 rows.
    public var stepTimeout: Duration
    /// With nothing to do for this long, one token is sent through all stages to see that they work.
    public var probeInterval: Duration
    /// How long requests wait for another placement when theirs is gone; the time in which one is loaded is not counted.
    public var outageLimit: Duration
    /// How often a request may be computed anew after a loss.
    public var rebuildLimit: Int
    /// Whether the KV of requests that have ended is kept for those that begin with the same tokens.
    public var reusesPrefixes = true
    /// Most sequences that it is kept of, at least 1.
    public var keptSequenceLimit = 64

    public init(
        contextLength: Int, vocabularySize: Int, maximumRunningCount: Int = 8, queueLimit: Int = 64,
        maximumStepRowCount: Int = 512, stepTimeout: Duration = .seconds(30), probeInterval: Duration = .seconds(5),
        outageLimit: Duration = .seconds(60), rebuildLimit: Int = 8
    ) {
        self.contextLength = contextLength
        self.vocabularySize = vocabularySize
        self.maximumRunningCount = maximumRunningCount
        self.queueLimit = queueLimit
        self.maximumStepRowCount = maximumStepRowCount
        self.stepTimeout = stepTimeout
        self.probeInterval = probeInterval
        self.outageLimit = outageLimit
        self.rebuildLimit = rebuildLimit
    }
}
