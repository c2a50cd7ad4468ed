import Transport

/// The limits that membership goes by.
public struct MembershipConfiguration: Sendable, Equatable {
    /// A worker that is silent for this long is lost.
    public var detectionBound: Duration
    /// Most workers, present or remembered. Those that are gone longest are forgotten first.
    public var memberLimit: Int

    public init(detectionBound: Duration = .seconds(2), memberLimit: Int = 256) {
        self.detectionBound = detectionBound
        self.memberLimit = memberLimit
    }

    /// A worker that is silent for this long is sent a message, as that finds out whether its connection is closed.
    public var askingBound: Duration { detectionBound / 4 }
    /// A worker that is silent for this long is suspect.
    public var suspicionBound: Duration { detectionBound / 2 }
}

extension Membership {
    public enum Event: Sendable {
        case hello(NodeID, Hello, from: Connection)
        case heartbeat(NodeID, Heartbeat, from: Connection)
        case leave(NodeID, reason: String, from: Connection)
        /// The node is no longer known by the key that it has.
        case revoked(NodeID)
        /// Something could not be sent over it: it is closed.
        case closed(NodeID, Connection)
        /// Time has passed.
        case tick
    }

    public enum Effect: Sendable, Equatable {
        /// Tell the worker that it is in.
        case welcome(NodeID, Connection)
        /// Tell whoever said hello under this name on this connection that it is not.
        case refuse(NodeID, Connection, reason: String)
        /// Answer heartbeat `number`.
        case acknowledge(NodeID, Connection, number: UInt64)
        /// Send the worker something, and report if its connection is closed.
        case ask(NodeID, Connection)
        /// A worker is there that was not.
        case joined(NodeID)
        /// A worker that is there introduced itself again: it lost its connection, or the welcome was lost.
        case returned(NodeID)
        case suspected(NodeID, silence: Duration)
        /// A suspect is heard of again.
        case recovered(NodeID)
        case lost(NodeID, reason: String)
        case left(NodeID, reason: String)
        /// A message from a node that is not a member, or not over its connection. A worker says hello when its
        /// heartbeats stay unanswered, so nothing is sent.
        case ignored(NodeID)
    }
}
