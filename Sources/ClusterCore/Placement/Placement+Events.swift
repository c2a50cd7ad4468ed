import Transport

extension Placement {
    public enum Event: Sendable, Equatable {
        /// A worker is there that was not: a new one, or a new process of an old one.
        case joined(Peer)
        /// A worker that is there connected again; what was sent to it meanwhile may be lost.
        case returned(Peer)
        /// A worker is lost or has left.
        case gone(NodeID, reason: String)
        /// A worker has loaded its part.
        case ready(NodeID, Epoch, StageReady)
        /// A worker could not load its part.
        case loadingFailed(NodeID, Epoch, message: String, isRetryable: Bool)
        /// A worker that loads its part has come further with it.
        case progressed(NodeID)
        /// How much memory a worker has for a part of the model, the one that it holds included.
        case memory(NodeID, availableByteCount: UInt64)
        /// The pipeline no longer makes progress; the node that owes it, if known.
        case stalled(NodeID?, reason: String)
        /// What there is to plan with now, if the shape is planned.
        case measured(ClusterMeasurements)
        /// Time has passed.
        case tick
    }

    public enum Effect: Sendable, Equatable {
        /// An epoch was opened: each rank's assignment, in order of stages and ranks.
        case opened(PlacedPipeline, [StageAssignment])
        /// All ranks are ready; the least KV capacity among them.
        case serving(PlacedPipeline, keyValueTokenCapacity: Int)
        /// The epoch is over because of that node, if it is known.
        case ended(PlacedPipeline, node: NodeID?, reason: String)
        /// What health is to show beside the node; empty clears it.
        case detail(NodeID, String)
    }
}
