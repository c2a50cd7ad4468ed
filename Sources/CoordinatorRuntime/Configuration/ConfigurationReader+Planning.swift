import ClusterCore
import Transport
import Yams

extension ConfigurationReader {
    /// What plans have to go by: `exclude`, `memory` and `layers`, by names of workers.
    mutating func planning(_ node: Node, _ path: String) -> PlanConstraints? {
        let remedy = "write exclude:, memory: or layers:"
        let before = problems.count
        guard let values = mapping(node, path, keys: ["exclude", "memory", "layers"], remedy: remedy) else {
            return nil
        }
        var constraints = PlanConstraints()
        if let node = values["exclude"] { constraints.excludedNodes = names(node, "\(path).exclude") }
        if let node = values["memory"] {
            for (name, value, path) in byName(node, "\(path).memory", remedy: "write it as NAME: 24GiB") {
                guard let byteCount = quantity(value, path, .memory) else { continue }
                constraints.memoryLimits.append(.init(node: name, byteCount: UInt64(byteCount)))
            }
        }
        if let node = values["layers"] {
            for (name, value, path) in byName(node, "\(path).layers", remedy: "write it as NAME: 0-9") {
                guard let range = layers(value, path) else { continue }
                constraints.pins.append(.init(node: name, layers: range))
            }
        }
        return problems.count == before ? constraints : nil
    }

    private mutating func names(_ node: Node, _ path: String) -> [String] {
        guard case .sequence(let sequence) = node, sequence.count <= 256 else {
            report(node, path, "it is \(node.kindText)", "list at most 256 names of workers, such as [old, spare]")
            return []
        }
        return sequence.enumerated().compactMap { index, entry in
            note(entry, "\(path)[\(index)]")
            return name(entry, "\(path)[\(index)]")?.name
        }
    }

    /// The entries of a mapping whose keys are names of workers, each with its path.
    private mutating func byName(
        _ node: Node, _ path: String, remedy: String
    ) -> [(name: String, value: Node, path: String)] {
        guard case .mapping(let mapping) = node, mapping.count <= 256 else {
            report(node, path, "it is \(node.kindText)", remedy)
            return []
        }
        return mapping.compactMap { key, value in
            guard let name = name(key, path) else { return nil }
            note(value, "\(path).\(name)")
            return (name.name, value, "\(path).\(name)")
        }
    }
}

extension ClusterConfiguration {
    /// What of the constraints contradicts itself.
    var planningConflicts: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if plansPlacement, case .named(let workers) = workers, workers.contains(where: { $0.layers != nil }) {
            problems.append(
                conflict(
                    .placement, "it is planned, and workers: has layers", "pin layers under planning.layers instead"))
        }
        return problems
            + planning.pins.filter { planning.excludedNodes.contains($0.node) }.map { pin in
                conflict(
                    "\(Setting.planning.rawValue).layers.\(pin.node)", "\(pin.node) is excluded, too",
                    "leave one of the two out")
            }
    }

    /// What of the constraints does not fit a model.
    func planningConflicts(with model: CoordinatedModel) -> [ConfigurationProblem] {
        planning.pins.filter { $0.layers.upperBound > model.layerCount }.map { pin in
            conflict(
                "\(Setting.planning.rawValue).layers.\(pin.node)",
                "\(pin.layers.inclusiveText) goes beyond the layers of \(model.name), which end with "
                    + "\(model.layerCount - 1)", "make it end with \(model.layerCount - 1) or before")
        }
    }

    /// All that plans have to go by: `planning`, and what `placement` and `workers` settle.
    var planConstraints: PlanConstraints {
        var constraints = planning
        constraints.rankCounts = placement
        // A plan of one placement knows of no workers of another.
        if case .named(let workers) = workers, replicaCount == 1 {
            let settled = workers.compactMap { worker in
                worker.layers.map { PlanConstraints.Pin(node: worker.node.name, layers: $0) }
            }
            constraints.pins = settled + planning.pins.filter { pin in !settled.contains { $0.node == pin.node } }
        }
        return constraints
    }
}
