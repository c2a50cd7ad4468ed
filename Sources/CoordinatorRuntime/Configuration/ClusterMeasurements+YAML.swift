public import ClusterCore

import Transport
import Yams

extension ClusterMeasurements {
    /// A nodes file lists at most so many nodes, repetitions included.
    public static let nodeLimit = 1024

    /// Parses a nodes file: machines that a plan is to be made for, with what they can do. docs/planning.md describes it.
    ///
    /// - Parameter file: the name that messages show.
    /// - Throws: `ConfigurationError` with all problems at once.
    public static func parse(_ text: String, file: String) throws(ConfigurationError) -> ClusterMeasurements {
        var reader = ConfigurationReader(file: file)
        var measurements = ClusterMeasurements(nodes: [])
        do {
            if let root = try Yams.compose(yaml: text) {
                measurements.read(root, &reader)
            } else {
                reader.report(line: nil, "nodes", "it is missing", "list at least one node with its name")
            }
        } catch let error as YamlError {
            let (line, problem) = error.lineAndProblem
            reader.report(line: line, "", "it is not valid YAML: \(problem)", "correct the line or the one before it")
        } catch {
            reader.report(line: nil, "", "it is not valid YAML", "write it as lines of key: value")
        }
        guard reader.problems.isEmpty else {
            let ordered = reader.problems.enumerated().sorted {
                ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
            }
            throw ConfigurationError(problems: ordered.map(\.element))
        }
        return measurements
    }

    private mutating func read(_ root: Node, _ reader: inout ConfigurationReader) {
        let keys = ["nodes", "hosts", "links", "coordinator"]
        guard let values = reader.mapping(root, "", keys: keys, remedy: "write nodes: and a list of nodes") else {
            return
        }
        if let list = values["nodes"] {
            reader.nodes(list, into: &nodes)
        } else {
            reader.report(line: nil, "nodes", "it is missing", "list at least one node with its name")
        }
        if let list = values["hosts"] { hosts = reader.hosts(list) }
        if let links = values["links"] { reader.links(links, into: &self) }
        if let node = values["coordinator"] {
            coordinatorHost = reader.text(node, "coordinator", remedy: "write the name of a host or node")
        }
        checkNames(values, &reader)
    }

    /// Hosts and ends of links that no node is on. Those after a problem with nodes would only repeat it.
    private func checkNames(_ values: [String: Node], _ reader: inout ConfigurationReader) {
        guard reader.problems.isEmpty else { return }
        let known = Set(nodes.map { $0.host ?? $0.name })
        func check(_ name: String, _ path: String) {
            guard !known.contains(name) else { return }
            let remedy = "write the host: of a node, or the name of a node without one"
            reader.report(line: reader.line(of: path), path, "there is no host \(name.shortened)", remedy)
        }
        for (index, host) in hosts.enumerated() { check(host.name, "hosts[\(index)].name") }
        for (index, override) in overrides.enumerated() {
            check(override.first, "links.between[\(index)].hosts")
            check(override.second, "links.between[\(index)].hosts")
        }
    }
}

extension ConfigurationReader {
    fileprivate mutating func nodes(_ node: Node, into nodes: inout [NodeMeasurement]) {
        guard case .sequence(let sequence) = node, !sequence.isEmpty else {
            return report(node, "nodes", "it is \(node.kindText)", "list at least one node with its name")
        }
        var names: Set<String> = []
        for (index, entry) in sequence.enumerated() {
            let path = "nodes[\(index)]"
            note(entry, path)
            guard let (measurement, count) = nodeMeasurement(entry, path) else { continue }
            guard nodes.count + count <= ClusterMeasurements.nodeLimit else {
                return report(
                    entry, path, "it makes more than \(ClusterMeasurements.nodeLimit) nodes", "list or repeat fewer")
            }
            for number in 1...count {
                var copy = measurement
                if count > 1 { copy.name += "-\(number)" }
                guard names.insert(copy.name).inserted else {
                    report(entry, "\(path).name", "\(copy.name.shortened) is listed twice", "give it another name")
                    break
                }
                nodes.append(copy)
            }
        }
    }

    /// A node, and how many like it there are.
    private mutating func nodeMeasurement(_ node: Node, _ path: String) -> (NodeMeasurement, count: Int)? {
        let keys = [
            "name", "count", "host", "threads", "memory", "free", "bandwidth", "prefill", "ternary_bits",
            "step_overhead", "layer_overhead", "available",
        ]
        let before = problems.count
        guard let values = mapping(node, path, keys: keys, remedy: "write name:, memory:, bandwidth: and prefill:")
        else { return nil }
        let name = required(values, "name", node, path).flatMap { nodeName($0, "\(path).name") }
        let memory = required(values, "memory", node, path).flatMap { quantity($0, "\(path).memory", .memory) }
        let bandwidth = required(values, "bandwidth", node, path).flatMap {
            perKernel($0, "\(path).bandwidth", .bandwidth)
        }
        let prefill = required(values, "prefill", node, path).flatMap {
            perKernel($0, "\(path).prefill", .multiplyAdds)
        }
        let count = values["count"].flatMap {
            wholeNumber($0, "\(path).count", in: 1...ClusterMeasurements.nodeLimit)
        }
        let threads = values["threads"].flatMap { wholeNumber($0, "\(path).threads", in: 1...1024) }
        let host = values["host"].flatMap { nodeName($0, "\(path).host") }
        let free = values["free"].flatMap { quantity($0, "\(path).free", .memory) }
        let bits = values["ternary_bits"].flatMap { ternaryBits($0, "\(path).ternary_bits") }
        let step = values["step_overhead"].flatMap { quantity($0, "\(path).step_overhead", .time) }
        let layer = values["layer_overhead"].flatMap { quantity($0, "\(path).layer_overhead", .time) }
        let isAvailable = values["available"].flatMap { flag($0, "\(path).available") }
        if let free, let memory, free > memory, let node = values["free"] {
            report(node, "\(path).free", "it is more than memory:", "write what is free of it")
        }
        guard problems.count == before, let name, let memory, let bandwidth, let prefill else { return nil }
        var measurement = NodeMeasurement(
            name: name, host: host, threadCount: threads ?? 1, memoryTotalByteCount: UInt64(memory),
            memoryFreeByteCount: UInt64(free ?? memory),
            ternary: KernelRates(bytesPerSecond: bandwidth.ternary, multiplyAddsPerSecond: prefill.ternary),
            other: KernelRates(bytesPerSecond: bandwidth.other, multiplyAddsPerSecond: prefill.other),
            isAvailable: isAvailable ?? true)
        if let bits { measurement.ternaryBitsPerWeight = bits }
        if let step { measurement.stepOverheadSeconds = step }
        if let layer { measurement.layerOverheadSeconds = layer }
        return (measurement, count ?? 1)
    }

    private mutating func required(_ values: [String: Node], _ key: String, _ node: Node, _ path: String) -> Node? {
        if values[key] == nil { report(node, path, "it has no \(key)", "add \(key):") }
        return values[key]
    }

    /// A rate for all weights, or one for ternary weights and one for others.
    private mutating func perKernel(
        _ node: Node, _ path: String, _ quantity: Quantity
    ) -> (ternary: Double, other: Double)? {
        guard case .mapping = node else {
            return self.quantity(node, path, quantity).map { (ternary: $0, other: $0) }
        }
        guard let values = mapping(node, path, keys: ["ternary", "other"], remedy: "write ternary: and other:"),
            let ternary = required(values, "ternary", node, path), let other = required(values, "other", node, path)
        else { return nil }
        let rates = (
            self.quantity(ternary, "\(path).ternary", quantity), self.quantity(other, "\(path).other", quantity)
        )
        guard let ternary = rates.0, let other = rates.1 else { return nil }
        return (ternary, other)
    }

    private mutating func ternaryBits(_ node: Node, _ path: String) -> Double? {
        guard let number = node.plainText.flatMap(Double.init), (1.5...8).contains(number) else {
            report(node, path, "\(node.quotedText) is no layout of ternary weights", "write 1.6, 1.67 or 2")
            return nil
        }
        return number
    }

    private mutating func nodeName(_ node: Node, _ path: String) -> String? {
        let remedy = "write 1 to 64 of A–Z a–z 0–9 . _ -"
        guard let text = text(node, path, remedy: remedy) else { return nil }
        guard NodeID(text) != nil else {
            report(node, path, "\(node.quotedText) is not a name", remedy)
            return nil
        }
        return text
    }

    fileprivate mutating func hosts(_ node: Node) -> [HostMeasurement] {
        guard case .sequence(let sequence) = node else {
            report(node, "hosts", "it is \(node.kindText)", "list hosts with name:, bandwidth:, cores: and memory:")
            return []
        }
        return sequence.enumerated().compactMap { index, entry in
            let path = "hosts[\(index)]"
            note(entry, path)
            let keys = ["name", "bandwidth", "cores", "memory"]
            guard let values = mapping(entry, path, keys: keys, remedy: "write name: and bandwidth:") else {
                return nil
            }
            guard let name = required(values, "name", entry, path).flatMap({ nodeName($0, "\(path).name") }) else {
                return nil
            }
            return HostMeasurement(
                name: name,
                bandwidthBytesPerSecond: values["bandwidth"].flatMap {
                    quantity($0, "\(path).bandwidth", .bandwidth)
                }, coreCount: values["cores"].flatMap { wholeNumber($0, "\(path).cores", in: 1...4096) },
                memoryFreeByteCount: values["memory"].flatMap { quantity($0, "\(path).memory", .memory) }
                    .map { UInt64($0) })
        }
    }

    private static let linkKeys = ["latency", "bandwidth", "round_trips", "message"]

    fileprivate mutating func links(_ node: Node, into measurements: inout ClusterMeasurements) {
        let keys = Self.linkKeys + ["within_host", "between"]
        guard let values = mapping(node, "links", keys: keys, remedy: "write latency: and bandwidth:") else { return }
        measurements.link = link(values, "links", over: measurements.link)
        if let within = values["within_host"],
            let values = mapping(within, "links.within_host", keys: Self.linkKeys, remedy: "write latency:")
        {
            measurements.linkWithinHost = link(values, "links.within_host", over: measurements.linkWithinHost)
        }
        guard let between = values["between"] else { return }
        guard case .sequence(let sequence) = between else {
            return report(between, "links.between", "it is \(between.kindText)", "list links with hosts: [a, b]")
        }
        for (index, entry) in sequence.enumerated() {
            let path = "links.between[\(index)]"
            note(entry, path)
            guard
                let values = mapping(
                    entry, path, keys: Self.linkKeys + ["hosts"], remedy: "write hosts: [a, b] and latency:"),
                let ends = required(values, "hosts", entry, path)
            else { continue }
            let names = ends.sequence?.compactMap(\.plainOrQuotedText) ?? []
            guard names.count == 2, ends.sequence?.count == 2 else {
                report(ends, "\(path).hosts", "it does not name two hosts", "write it as [a, b]")
                continue
            }
            measurements.overrides.append(
                LinkOverride(between: names[0], and: names[1], link(values, path, over: measurements.link)))
        }
    }

    /// A link like `base` but for what is written.
    private mutating func link(_ values: [String: Node], _ path: String, over base: LinkMeasurement) -> LinkMeasurement
    {
        var trips = base.roundTrips
        if let node = values["latency"], let latency = quantity(node, "\(path).latency", .time) {
            trips = [.init(byteCount: 0, seconds: latency)]
        }
        if let node = values["round_trips"] {
            if values["latency"] != nil {
                report(node, "\(path).round_trips", "there is a latency, too", "leave one of the two out")
            }
            trips = roundTrips(node, "\(path).round_trips") ?? trips
        }
        let bandwidth = values["bandwidth"].flatMap { quantity($0, "\(path).bandwidth", .bandwidth) }
        let message = values["message"].flatMap { quantity($0, "\(path).message", .time) }
        return LinkMeasurement(
            roundTrips: trips, bandwidthBytesPerSecond: bandwidth ?? base.bandwidthBytesPerSecond,
            messageSeconds: message ?? base.messageSeconds)
    }

    /// A mapping of sizes to times, such as `{64B: 100us, 10KiB: 250us, 1MiB: 9ms}`.
    private mutating func roundTrips(_ node: Node, _ path: String) -> [LinkMeasurement.RoundTrip]? {
        let remedy = "write it as {64B: 100us, 10KiB: 250us}"
        guard case .mapping(let mapping) = node, !mapping.isEmpty, mapping.count <= 16 else {
            report(node, path, "it is \(node.kindText)", remedy)
            return nil
        }
        var trips: [LinkMeasurement.RoundTrip] = []
        for (size, time) in mapping {
            guard let bytes = quantity(size, path, .memory), let seconds = quantity(time, path, .time) else { continue }
            trips.append(.init(byteCount: Int(bytes), seconds: seconds))
        }
        return trips
    }
}
