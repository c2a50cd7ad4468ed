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
    public var placement: PlacementConfiguration
    public var scheduler: SchedulerConfiguration

    public init(
        clusterID: String, modelName: String, dataEndpoint: String, heartbeatInterval: Duration,
        membership: MembershipConfiguration, placement: PlacementConfiguration, scheduler: SchedulerConfiguration
    ) {
        self.clusterID = clusterID
        self.modelName = modelName
        self.dataEndpoint = dataEndpoint
        self.heartbeatInterval = heartbeatInterval
        self.membership = membership
        self.placement = placement
        self.scheduler = scheduler
    }
}
