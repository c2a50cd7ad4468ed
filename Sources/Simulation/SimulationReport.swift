import ClusterCore

/// What came of a simulation.
public struct SimulationReport: Sendable {
    public let seed: UInt64
    /// How often each fault struck.
    public let faults: FaultCounts
    public let virtualSeconds: Double
    /// From the end of faults until all was well; nil if it never was.
    public let recoverySeconds: Double?
    public let messageCount: Int
    /// Tokens that clients got.
    public let tokenCount: Int
    /// Tokens of prompts that were not computed, as the KV of earlier requests was at hand.
    public let reusedTokenCount: Int
    /// How often clients read on over another connection.
    public let resumedCount: Int
    /// Requests that were answered in full, that failed with a reason, and that the client or the coordinator left.
    public let completeCount: Int
    public let failedCount: Int
    public let abandonedCount: Int
    /// Placements that were opened.
    public let epochCount: Int
    /// The same for runs in which the same happened.
    public let digest: UInt64
    public let violation: Violation?
    /// In lines, if a rule was broken.
    public let lastEvents: [String]
}
