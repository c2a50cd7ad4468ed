public import Transport

/// A link that is not like the others.
public struct LinkOverride: Sendable, Equatable, Codable {
    /// Two hosts, or names of nodes without one, in either order. The same twice means the nodes within that host.
    public var first: String
    public var second: String
    public var link: LinkMeasurement

    public init(between first: String, and second: String, _ link: LinkMeasurement) {
        self.first = first
        self.second = second
        self.link = link
    }
}

/// All that a plan is made from.
public struct ClusterMeasurements: Sendable, Equatable, Codable {
    public var nodes: [NodeMeasurement]
    public var hosts: [HostMeasurement]
    /// Between any two hosts that no override names.
    public var link: LinkMeasurement
    /// Between the nodes of one host.
    public var linkWithinHost: LinkMeasurement
    /// Between ranks of one host, which exchange their parts in memory that they share; nil if they do so over
    /// `linkWithinHost`.
    public var exchangeWithinHost: LinkMeasurement?
    public var overrides: [LinkOverride]
    /// The host that the coordinator runs on; nil if it is one without workers.
    public var coordinatorHost: String?

    public init(
        nodes: [NodeMeasurement], hosts: [HostMeasurement] = [], link: LinkMeasurement = .gigabitEthernet,
        linkWithinHost: LinkMeasurement = .withinHost, exchangeWithinHost: LinkMeasurement? = nil,
        overrides: [LinkOverride] = [], coordinatorHost: String? = nil
    ) {
        self.nodes = nodes
        self.hosts = hosts
        self.link = link
        self.linkWithinHost = linkWithinHost
        self.exchangeWithinHost = exchangeWithinHost
        self.overrides = overrides
        self.coordinatorHost = coordinatorHost
    }

    private enum CodingKeys: String, CodingKey {
        case nodes, hosts, link, overrides
        case linkWithinHost = "link_within_host"
        case exchangeWithinHost = "exchange_within_host"
        case coordinatorHost = "coordinator_host"
    }
}

extension LinkMeasurement {
    /// What is assumed of a network that nobody measured: 150 µs there and back, 1 Gbit/s.
    public static let gigabitEthernet = LinkMeasurement(latencySeconds: 150e-6, bandwidthBytesPerSecond: 118e6)
    /// What is assumed of two processes on one machine: 50 µs there and back, 3 GB/s.
    public static let withinHost = LinkMeasurement(latencySeconds: 50e-6, bandwidthBytesPerSecond: 3e9)
}
