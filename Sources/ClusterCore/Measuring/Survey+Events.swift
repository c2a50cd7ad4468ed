public import Transport

extension Survey {
    public enum Event: Sendable, Equatable {
        /// A worker is there that was not: a new one, or a new process of an old one.
        case joined(Peer, Hello)
        /// A worker that is there connected again, perhaps with another data endpoint.
        case returned(Peer)
        /// A worker is lost or has left.
        case gone(NodeID)
        /// What a worker that is there has measured.
        case reported(NodeID, MeasurementReport)
        /// Time has passed, or something has begun or ended.
        case proceed(Activity)
    }

    /// What the cluster does at the moment.
    public enum Activity: Sendable, Equatable {
        /// Requests run or wait, or workers load: nothing is begun.
        case busy
        /// A token of the coordinator's own is under way.
        case probing
        case idle
    }

    public enum Effect: Sendable, Equatable {
        /// Tell the worker to measure, or to answer.
        case order(NodeID, MeasurementOrder)
        /// A report that nobody waits for.
        case unexpected(NodeID)
        /// Something could not be measured, and is not tried again by itself.
        case failed(reason: String)
        /// Everything that was to be measured is.
        case finished
    }

    /// A link that was measured.
    public struct Link: Sendable, Equatable {
        /// In order of name.
        public let first: NodeID
        public let second: NodeID
        public let measurement: MeasuredLink
    }

    /// Something to be measured.
    enum Task: Sendable, Hashable {
        case node(NodeID)
        /// In order of name.
        case link(NodeID, NodeID)

        func involves(_ node: NodeID) -> Bool {
            switch self {
            case .node(let own): own == node
            case .link(let first, let second): first == node || second == node
            }
        }
    }

    /// What is being measured.
    struct Current: Sendable, Equatable {
        var task: Task
        var number: UInt64
        /// Whether the second worker of a link is still to say that it answers.
        var awaitsAnswering: Bool
        var deadline: Instant
    }
}
