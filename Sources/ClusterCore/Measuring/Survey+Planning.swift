public import Transport

extension Survey {
    /// What a plan can be made from, and what is missing for it: each with the remedy.
    ///
    /// - Parameters:
    ///   - available: workers that may have a part.
    ///   - coordinatorHostID: see `Peer.hostID`; empty if it is not known.
    public func measurements(
        available: [NodeID], coordinatorHostID: String
    ) -> (cluster: ClusterMeasurements, missing: [String]) {
        var missing: [String] = []
        var measured: [NodeMeasurement] = []
        for node in nodes {
            let name = node.peer.node
            guard let rates = node.rates else {
                missing.append(
                    "\(name) has not said how fast it is; see its log, and ask it with ryz measure")
                continue
            }
            measured.append(
                NodeMeasurement(
                    name: name.name, host: host(of: node), threadCount: max(1, node.threadCount),
                    memoryTotalByteCount: node.memoryByteCount, memoryFreeByteCount: rates.memoryFreeByteCount,
                    ternary: rates.ternary, other: rates.other, attention: rates.attention,
                    ternaryBitsPerWeight: rates.ternaryBitsPerWeight,
                    stepOverheadSeconds: Self.stepSeconds,
                    layerOverheadSeconds: Double(Self.tasksPerLayer) * rates.taskSeconds + rates.layerSeconds,
                    isAvailable: available.contains(name)))
        }
        for (first, second) in pairs where link(first, second) == nil {
            missing.append("the link \(first) – \(second) is not measured; let the cluster be idle, or use ryz measure")
        }
        var cluster = ClusterMeasurements(nodes: measured, hosts: hosts)
        let (within, between) = linksOfHosts
        cluster.overrides = within + between
        // Pairs that are not measured are taken to be like the slowest that are.
        if let slowest = between.map(\.link).max(by: Self.isFaster) { cluster.link = slowest }
        if let slowest = within.map(\.link).max(by: Self.isFaster) { cluster.linkWithinHost = slowest }
        cluster.exchangeWithinHost = links.compactMap(\.measurement.memory).max(by: Self.isFaster)
        if !coordinatorHostID.isEmpty {
            cluster.coordinatorHost = nodes.first { $0.peer.hostID == coordinatorHostID }.map { host(of: $0) }
        }
        return (cluster, missing)
    }

    /// Tasks for all threads that a layer of a transformer consists of.
    private static let tasksPerLayer = 10
    /// What a stage takes for a step besides its layers: messages, sequences, sampling. Not measured by workers but fitted to
    /// clusters; see docs/planning.md.
    private static let stepSeconds = 100e-6

    /// Workers without a host id are machines of their own. Two machines may have the same name, so each is called after its
    /// first worker.
    private func host(of node: Node) -> String {
        guard !node.peer.hostID.isEmpty else { return node.peer.node.name }
        let first = nodes.first { $0.peer.hostID == node.peer.hostID } ?? node
        return first.peer.node.name
    }

    /// Those that several workers share.
    private var hosts: [HostMeasurement] {
        let names = nodes.map { host(of: $0) }
        return Set(names).sorted().compactMap { name in
            let members = zip(nodes, names).filter { $0.1 == name }.map(\.0)
            let rates = members.compactMap(\.rates)
            guard members.count > 1, !rates.isEmpty else { return nil }
            return HostMeasurement(
                name: name, bandwidthBytesPerSecond: rates.map(\.hostBytesPerSecond).max(),
                coreCount: rates.map(\.hostCoreCount).max(),
                memoryFreeByteCount: rates.map(\.memoryFreeByteCount).max())
        }
    }

    /// For each two hosts the slowest of the links between their workers.
    private var linksOfHosts: (within: [LinkOverride], between: [LinkOverride]) {
        var slowest: [LinkOverride] = []
        for link in links {
            guard let first = nodes.first(where: { $0.peer.node == link.first }),
                let second = nodes.first(where: { $0.peer.node == link.second })
            else { continue }
            let ends = [host(of: first), host(of: second)].sorted()
            if let index = slowest.firstIndex(where: { [$0.first, $0.second] == ends }) {
                let sockets = link.measurement.sockets
                if Self.isFaster(slowest[index].link, sockets) { slowest[index].link = sockets }
            } else {
                slowest.append(LinkOverride(between: ends[0], and: ends[1], link.measurement.sockets))
            }
        }
        return (slowest.filter { $0.first == $0.second }, slowest.filter { $0.first != $0.second })
    }

    /// By what a token's hidden states take.
    private static func isFaster(_ first: LinkMeasurement, _ second: LinkMeasurement) -> Bool {
        first.seconds(byteCount: 10240) < second.seconds(byteCount: 10240)
    }
}
