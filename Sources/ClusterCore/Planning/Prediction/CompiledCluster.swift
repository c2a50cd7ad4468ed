import Transport

/// Measurements as the planner goes through them: checked, by number, without the nodes that may have no part.
struct CompiledCluster {
    struct Host {
        var name: String
        var bandwidthBytesPerSecond: Double
        var coreCount: Double
    }

    /// In the order of the measurements.
    let nodes: [NodeMeasurement]
    /// What each node may take, in bytes.
    let memoryByteCounts: [Double]
    /// The host of each node.
    let hostOf: [Int]
    let hosts: [Host]
    /// Nodes that may have no part, each with why.
    let unusable: [Plan.LeftOutNode]

    /// 0 is the link between hosts, 1 that within one; overrides follow.
    let links: [LinkMeasurement]
    private let overrides: [UInt64: Int]
    private let coordinatorHost: Int
    /// The number of the link that ranks of one host exchange their parts over, if it is one of its own.
    private let exchangeWithinHost: Int?

    /// - Throws: `.invalid` for figures that nothing can be planned with, `.constraint` for limits of unknown nodes,
    ///   `.noNodes`.
    init(_ measurements: ClusterMeasurements, _ constraints: PlanConstraints) throws(PlanError) {
        try Self.check(measurements, constraints)
        var nodes: [NodeMeasurement] = []
        var unusable: [Plan.LeftOutNode] = []
        for node in measurements.nodes {
            if constraints.excludedNodes.contains(node.name) {
                unusable.append(.init(node: node.name, reason: "it is excluded"))
            } else if !node.isAvailable {
                unusable.append(.init(node: node.name, reason: "it is not available"))
            } else {
                nodes.append(node)
            }
        }
        guard !nodes.isEmpty else { throw .noNodes }
        var hosts: [Host] = []
        var numbers: [String: Int] = [:]
        func number(_ name: String) -> Int {
            if let number = numbers[name] { return number }
            numbers[name] = hosts.count
            hosts.append(Host(name: name, bandwidthBytesPerSecond: .infinity, coreCount: .infinity))
            return hosts.count - 1
        }
        let hostOf = nodes.map { number($0.host ?? $0.name) }
        var memory = nodes.map { Double($0.memoryFreeByteCount) }
        for host in measurements.hosts {
            guard let index = numbers[host.name] else { continue }
            hosts[index].bandwidthBytesPerSecond = host.bandwidthBytesPerSecond ?? .infinity
            hosts[index].coreCount = host.coreCount.map { Double($0) } ?? .infinity
            // Each of its nodes gets its part of what they have together.
            let members = nodes.indices.filter { hostOf[$0] == index }
            let sum = members.reduce(0) { $0 + memory[$1] }
            if let limit = host.memoryFreeByteCount.map({ Double($0) }), sum > limit {
                for member in members { memory[member] *= limit / sum }
            }
        }
        for limit in constraints.memoryLimits {
            for index in nodes.indices where nodes[index].name == limit.node {
                memory[index] = min(memory[index], Double(limit.byteCount))
            }
        }
        var links = [measurements.link, measurements.linkWithinHost]
        var overrides: [UInt64: Int] = [:]
        for override in measurements.overrides {
            guard let first = numbers[override.first], let second = numbers[override.second] else { continue }
            overrides[Self.key(first, second)] = links.count
            links.append(override.link)
        }
        exchangeWithinHost = measurements.exchangeWithinHost.map { _ in links.count }
        links += measurements.exchangeWithinHost.map { [$0] } ?? []
        self.nodes = nodes
        memoryByteCounts = memory
        self.unusable = unusable
        self.hostOf = hostOf
        coordinatorHost = measurements.coordinatorHost.map(number) ?? -1
        self.hosts = hosts
        self.links = links
        self.overrides = overrides
    }

    /// The number of the link between two nodes.
    func link(_ first: Int, _ second: Int) -> Int { linkOfHosts(hostOf[first], hostOf[second]) }

    /// The number of the link over which two ranks of a stage exchange their parts.
    func exchangeLink(_ first: Int, _ second: Int) -> Int {
        if let exchangeWithinHost, hostOf[first] == hostOf[second] { return exchangeWithinHost }
        return link(first, second)
    }

    /// The number of the link between the coordinator and a node.
    func coordinatorLink(_ node: Int) -> Int {
        coordinatorHost < 0 ? 0 : linkOfHosts(coordinatorHost, hostOf[node])
    }

    private func linkOfHosts(_ first: Int, _ second: Int) -> Int {
        if !overrides.isEmpty, let index = overrides[Self.key(first, second)] { return index }
        return first == second ? 1 : 0
    }

    private static func key(_ first: Int, _ second: Int) -> UInt64 {
        UInt64(min(first, second)) << 32 | UInt64(max(first, second))
    }

    private static func check(_ measurements: ClusterMeasurements, _ constraints: PlanConstraints) throws(PlanError) {
        var names: Set<String> = []
        for node in measurements.nodes {
            guard names.insert(node.name).inserted else {
                throw .invalid("two nodes are called \(node.name); give each a name of its own")
            }
            let kernels = [node.ternary, node.other, node.attention ?? node.other]
            let rates = kernels.flatMap { [$0.bytesPerSecond, $0.multiplyAddsPerSecond] } + [node.ternaryBitsPerWeight]
            guard rates.allSatisfy({ $0.isFinite && $0 > 0 }), node.threadCount > 0,
                node.stepOverheadSeconds >= 0, node.layerOverheadSeconds >= 0
            else { throw .invalid("\(node.name): rates and threads must be over 0; measure it again") }
        }
        let links =
            [measurements.link, measurements.linkWithinHost] + measurements.overrides.map(\.link)
            + (measurements.exchangeWithinHost.map { [$0] } ?? [])
        guard links.allSatisfy({ $0.bandwidthBytesPerSecond > 0 && $0.roundTrips.allSatisfy { $0.seconds >= 0 } })
        else { throw .invalid("a link's bandwidth must be over 0 and its latency not below; measure it again") }
        let named =
            constraints.pins.map(\.node) + constraints.memoryLimits.map(\.node) + constraints.excludedNodes
        for name in named where !names.contains(name) {
            throw .constraint("\(name) is constrained, but there is no such node; correct the name")
        }
    }
}
