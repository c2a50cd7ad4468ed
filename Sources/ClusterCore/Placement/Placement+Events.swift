import Transport

extension Placement {
    public enum Event: Sendable, Equatable {
        /// A worker is there that was not: a new one, or a new process of an old one.
        case joined(Peer, heldPart: UInt64 = 0)
        /// A worker that is there connected again; what was sent to it meanwhile may be lost.
        case returned(Peer)
        /// A worker is lost or has left.
        case gone(NodeID, reason: String)
        /// A worker has loaded its part.
        case ready(NodeID, Epoch, StageReady)
        /// A worker could not load its part.
        case loadingFailed(NodeID, Epoch, message: String, isRetryable: Bool)
        /// A worker that loads its part, or in advance what it is to take over, has come further with it.
        case progressed(NodeID)
        /// How much memory a worker has for a part of the model, the one that it holds included.
        case memory(NodeID, availableByteCount: UInt64)
        /// What a worker says that it has loaded: a `partDigest`, or 0.
        case holds(NodeID, part: UInt64)
        /// A spare could not load in advance what it was to keep ready.
        case standbyFailed(NodeID, message: String, isRetryable: Bool)
        /// The pipeline no longer makes progress; the node that owes it, if known.
        case stalled(NodeID?, reason: String)
        /// What there is to plan with now, if the shape is planned.
        case measured(ClusterMeasurements)
        /// A worker is to hold nothing, whichever process has its name, until it is resumed. If it has a place, the others
        /// take over, as far as they can: when a spare has loaded its part, if one is to; forced, a drain that waits for that
        /// waits no more.
        case drained(NodeID, isForced: Bool = false)
        /// A worker that was drained may be used again.
        case resumed(NodeID)
        /// If the model is placed on fewer workers than wanted and more are there, it is placed on those.
        case rebalance
        /// A coordinator before this one has served, and its requests wait: those that are there may do, after a while.
        case continued
        /// Nothing is placed from now on.
        case closed
        /// Time has passed.
        case tick
    }

    public enum Effect: Sendable, Equatable {
        /// An epoch was opened: each rank's assignment, in order of stages and ranks.
        case opened(PlacedPipeline, [StageAssignment])
        /// All ranks are ready; the least KV capacity among them.
        case serving(PlacedPipeline, keyValueTokenCapacity: Int)
        /// The epoch is over because of that node, if it is known; `isLoss` is false if nothing failed.
        case ended(PlacedPipeline, node: NodeID?, reason: String, isLoss: Bool = true)
        /// A spare is to load that part in advance.
        case prepare(NodeID, StageAssignment)
        /// What health is to show beside the node; empty clears it.
        case detail(NodeID, String)
    }
}
