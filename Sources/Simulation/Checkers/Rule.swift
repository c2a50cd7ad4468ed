import ClusterCore

/// What must hold in every simulation.
public enum Rule: String, CaseIterable, Sendable {
    /// No token that was committed is lost, repeated or another one than without faults.
    case tokens = "no token is lost, repeated or changed"
    case epochs = "epochs never go back"
    case placements =
        "at most one placement is active for each replica, and a worker has a place in one, or in none when it is drained"
    /// Once faults have stopped.
    case ends = "every request ends in time"
    case service = "service resumes once faults have stopped"
    case memory = "KV cache and queues return to nothing, but what is kept for later requests"
    case journal = "what was streamed and what runs outlive the coordinator's process"
    case limits = "no message breaks a limit of the protocol"
}

/// A rule that was broken.
public struct Violation: Sendable, Equatable {
    public let rule: Rule
    public let detail: String
    public let at: Instant
}
