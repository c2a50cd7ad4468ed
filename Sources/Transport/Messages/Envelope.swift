/// Every message between nodes: who sends it, for which cluster and placement, and what it says.
public struct Envelope: Equatable, Sendable {
    /// The protocol version this code speaks. A peer with another one is refused by name.
    public static let protocolVersion: UInt32 = 1

    public var clusterID: String
    public var epoch: Epoch
    public var sender: NodeID
    public var body: Body

    public enum Body: Equatable, Sendable {
        // Control plane, worker to coordinator.
        case hello(Hello)
        case heartbeat(Heartbeat)
        case ready(StageReady)
        case failure(WorkerFailure)
        /// Also coordinator to worker, which then leaves.
        case leave(Leave)
        case measurementReport(MeasurementReport)
        case weightsOffer(WeightsOffer)
        // Control plane, coordinator to worker.
        case welcome(Welcome)
        case heartbeatReply(HeartbeatReply)
        case assignment(StageAssignment)
        case refusal(Refusal)
        case keyring(Keyring)
        case weightsSources(WeightsSources)
        /// The worker is to let go of its part and of what it keeps of others.
        case release
        /// The worker is to load that part in advance, as if it had that place.
        case standby(StageAssignment)
        case measurementOrder(MeasurementOrder)
        // Data plane.
        case step(Step)
        case stepResult(StepResult)
        case exchange(Exchange)
        case linkProbe(LinkProbe)
        // Between who fetches weights and who serves them.
        case weightsRequest(WeightsRequest)
        case weightsReply(WeightsReply)
    }

    public init(clusterID: String, epoch: Epoch, sender: NodeID, body: Body) {
        self.clusterID = clusterID
        self.epoch = epoch
        self.sender = sender
        self.body = body
    }
}
