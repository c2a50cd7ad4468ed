import Transport

/// What the coordinator's cores go by.
public struct CoordinationConfiguration: Sendable {
    /// Other clusters' nodes are refused.
    public var clusterID: String
    /// The model's name, as health shows it.
    public var modelName: String
    /// Where workers send results to.
    public var dataEndpoint: String
    public var heartbeatInterval: Duration
    public var membership: MembershipConfiguration
    /// Of each replica; but where workers are named, all of them, in order of replica.
    public var placement: PlacementConfiguration
    /// How often the model is placed, at least once; where that is planned, it begins with one.
    public var replicaCount = 1
    public var scheduler: SchedulerConfiguration
    /// Whether links between workers are measured without a request, while nothing is computed.
    public var measuresLinks: Bool
    /// How long a placement on fewer workers than wanted goes on while requests run, once others have come; nil: until an
    /// operator asks for another one.
    public var rebalancingDelay: Duration?
    /// How long open requests may go on when the cluster is shut down.
    public var shutdownLimit: Duration
    /// See `Peer.hostID`; of the coordinator.
    public var hostID: String
    /// What the model costs, and what a plan has to go by besides; for plans only.
    public var model: ModelCosts?
    public var constraints: PlanConstraints
    /// Where workers get the model's files that they have not; empty if they do not.
    public var weightsEndpoint = ""

    public init(
        clusterID: String, modelName: String, dataEndpoint: String, heartbeatInterval: Duration,
        membership: MembershipConfiguration, placement: PlacementConfiguration, scheduler: SchedulerConfiguration,
        measuresLinks: Bool = false, rebalancingDelay: Duration? = .seconds(30),
        shutdownLimit: Duration = .seconds(30), hostID: String = "", model: ModelCosts? = nil,
        constraints: PlanConstraints = PlanConstraints()
    ) {
        self.clusterID = clusterID
        self.modelName = modelName
        self.dataEndpoint = dataEndpoint
        self.heartbeatInterval = heartbeatInterval
        self.membership = membership
        self.placement = placement
        self.scheduler = scheduler
        self.measuresLinks = measuresLinks
        self.rebalancingDelay = rebalancingDelay
        self.shutdownLimit = shutdownLimit
        self.hostID = hostID
        self.model = model
        self.constraints = constraints
    }
}

extension CoordinationConfiguration {
    /// What the placement of a replica goes by.
    func placement(ofReplica index: Int) -> PlacementConfiguration {
        var placement = placement
        if case .named(let workers) = placement.selection, replicaCount > 1 {
            let size = workers.count / replicaCount
            placement.selection = .named(Array(workers.dropFirst(index * size).prefix(size)))
        }
        return placement
    }

    /// The replicas of named workers.
    var homes: [NodeID: Int] {
        guard case .named(let workers) = placement.selection else { return [:] }
        let size = max(1, workers.count / replicaCount)
        return Dictionary(
            workers.enumerated().map { ($1.node, min(replicaCount - 1, $0 / size)) },
            uniquingKeysWith: { first, _ in first })
    }
}
