import ClusterCore
import Transport

extension ClusterConfiguration {
    /// Where the placement and the workers disagree.
    var placementConflicts: [ConfigurationProblem] {
        guard let placement else { return [] }
        // A list names the workers of all replicas.
        let wanted = workers.isNamed ? placementRankCount * replicaCount : placementRankCount
        guard workers.workerCount != wanted else { return [] }
        let remedy = workers.isNamed ? "list as many workers" : "make workers \(wanted) or leave it out"
        return [
            conflict(
                .placement,
                "\(placement.rankListText) has room for \(wanted) workers, and workers: says \(workers.workerCount)",
                remedy)
        ]
    }

    /// What of the replicas contradicts something else.
    var replicaConflicts: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        if plansReplicas, replicaCount > 1 {
            problems.append(
                conflict(
                    .replicas, "how many there are is planned, as the objective is throughput",
                    "leave it out, or write objective: latency"))
        }
        if objective == .throughput, !plansPlacement {
            problems.append(
                conflict(
                    .objective, "nothing is planned for it", "write placement: auto, or leave it out for replicas:"))
        }
        if concurrency != nil, objective == .latency {
            problems.append(
                conflict(.concurrency, "it is for plans of throughput only", "write objective: throughput"))
        }
        if case .named(let named) = workers, !named.count.isMultiple(of: replicaCount) {
            problems.append(
                conflict(
                    .replicas, "\(named.count) workers cannot be parted into \(replicaCount) replicas",
                    "list as many workers for each"))
        }
        return problems
    }

    /// With which layers the workers of each replica end, of those that have layers.
    func ends(of named: [NamedWorker]) -> [Int] {
        let size = max(1, named.count / replicaCount)
        return stride(from: 0, to: named.count, by: size).compactMap { first in
            named[first..<min(first + size, named.count)].compactMap { $0.layers?.upperBound }.max()
        }
    }

    /// What is wrong with the workers that the file names.
    var workerConflicts: [ConfigurationProblem] {
        guard case .named(let workers) = workers else { return [] }
        var problems: [ConfigurationProblem] = []
        for (index, worker) in workers.enumerated() {
            if let first = workers.firstIndex(where: { $0.node == worker.node }), first < index {
                problems.append(
                    conflict(
                        "workers[\(index)].name", "\(worker.node) is workers[\(first)] already",
                        "give each its own name"))
            }
        }
        guard workers.contains(where: { $0.layers != nil }), placementConflicts.isEmpty, replicaConflicts.isEmpty else {
            return problems
        }
        let size = workers.count / replicaCount
        let firsts = firstWorkers(of: workers.count)
        for (index, worker) in workers.enumerated() {
            guard let layers = worker.layers else {
                problems.append(
                    conflict(
                        "workers[\(index)].layers", "it is missing, and other workers have layers",
                        "give layers to all workers or to none"))
                continue
            }
            let problem =
                firsts.contains(index)
                ? rangeConflict(
                    layers, at: index, of: workers, firsts.filter { $0 < index && $0 / size == index / size })
                : rankConflict(layers, at: index, of: workers, firsts.last { $0 < index } ?? 0)
            if let problem { problems.append(problem) }
        }
        return problems
    }

    /// The index of each stage's first worker.
    private func firstWorkers(of workerCount: Int) -> [Int] {
        guard let placement else { return Array(0..<workerCount) }
        var next = 0
        return (0..<replicaCount).flatMap { _ in placement }.map { rankCount in
            defer { next += rankCount }
            return next
        }
    }

    /// Compares the layers of a stage's first worker with those of the stages before, whose first workers are `firsts`.
    private func rangeConflict(
        _ layers: Range<Int>, at index: Int, of workers: [NamedWorker], _ firsts: [Int]
    ) -> ConfigurationProblem? {
        let path = "workers[\(index)].layers"
        let text = layers.inclusiveText
        for other in firsts {
            guard let taken = workers[other].layers, taken.overlaps(layers) else { continue }
            return conflict(
                path, "\(text) overlaps workers[\(other)] (\(taken.inclusiveText))", "make the ranges adjacent")
        }
        guard let last = firsts.last else {
            guard layers.lowerBound != 0 else { return nil }
            return conflict(path, "\(text) leaves out the first layers", "make the first worker begin with layer 0")
        }
        guard let before = workers[last].layers, before.upperBound != layers.lowerBound else { return nil }
        return conflict(
            path, "\(text) does not follow workers[\(last)] (\(before.inclusiveText))",
            "make it begin with layer \(before.upperBound)")
    }

    /// Compares the layers of a worker with those of the first one of its stage.
    private func rankConflict(
        _ layers: Range<Int>, at index: Int, of workers: [NamedWorker], _ first: Int
    ) -> ConfigurationProblem? {
        guard let shared = workers[first].layers, shared != layers else { return nil }
        return conflict(
            "workers[\(index)].layers",
            "\(layers.inclusiveText) is not what workers[\(first)] of the same stage holds (\(shared.inclusiveText))",
            "give the workers of a stage the same layers")
    }

    /// What of the placement does not fit a model.
    func placementConflicts(with model: CoordinatedModel) -> [ConfigurationProblem] {
        guard let placement else { return [] }
        var problems: [ConfigurationProblem] = []
        if placement.count > model.layerCount {
            problems.append(
                conflict(
                    .placement, "it has \(placement.count) stages, \(model.name) has \(model.layerCount) layers",
                    "use \(model.layerCount) stages or fewer"))
        }
        let parts = [
            (model.parts.keyValueHeadCount, "KV heads"),
            (model.parts.feedForwardBlockCount, "blocks of \(RankShare.feedForwardBlockColumns) feed-forward columns"),
        ]
        for (stage, rankCount) in placement.enumerated() {
            guard let (count, name) = parts.filter({ $0.0 < rankCount }).min(by: { $0.0 < $1.0 }) else { continue }
            problems.append(
                conflict(
                    "\(Setting.placement.rawValue)[\(stage)]",
                    "\(rankCount) ranks are to share the layers, \(model.name) has \(count) \(name)",
                    "make it \(count) or less"))
        }
        return problems
    }

    private var placementRankCount: Int { placement?.reduce(0, +) ?? 0 }
}

extension [Int] {
    /// Such as `[2, 1, 3]`.
    fileprivate var rankListText: String { "[\(map(String.init).joined(separator: ", "))]" }
}
