public import Transport

/// What an operator may ask of a running cluster.
public enum ClusterOperation: Sendable, Equatable {
    /// A worker is to hold nothing and be used for nothing until it is resumed; others take over what it holds. Forced
    /// also where nobody can: requests then wait.
    case drain(NodeID, isForced: Bool)
    /// A worker that was drained may be used again.
    case resume(NodeID)
    /// The model is placed on more workers, if it is placed on fewer than wanted and others are there.
    case rebalance
    /// The cluster ends: open requests may go on for a while, then workers leave and end, and the coordinator with them.
    case shutDown
}

/// Why an operation was not begun.
public struct OperationRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reason, and what helps.
    public var description: String
    /// Whether there is no worker of that name.
    public var isUnknownNode: Bool

    public init(_ description: String, isUnknownNode: Bool = false) {
        self.description = description
        self.isUnknownNode = isUnknownNode
    }
}
