/// Small changes to a placement for as long as they make it better.
struct Polishing {
    let predictor: Predictor
    /// Nodes that may be brought in, the most promising first.
    var spares: [Int]
    /// Whether the number of ranks of each stage must stay.
    var keepsShape: Bool
    var pins: [(node: Int, layers: Range<Int>)] = []
    /// Rounds at most, each of which takes the best change.
    var roundLimit = 24
    /// How many ranks are looked at in all: what bounds the time where there are many.
    var rankLimit = 60_000

    func polish(_ start: Candidate) -> Candidate {
        var best = start
        var ranksLeft = rankLimit
        for _ in 0..<roundLimit {
            var improved = best
            for change in changes(best.replicas) where honoursPins(change) {
                ranksLeft -= best.nodeCount
                guard ranksLeft > 0 else { break }
                if let candidate = predictor.candidate(change), candidate.isBetter(than: improved) {
                    improved = candidate
                }
            }
            guard improved.isBetter(than: best) else { break }
            best = improved
        }
        return best
    }

    private func honoursPins(_ replicas: [[StageChoice]]) -> Bool {
        pins.allSatisfy { pin in
            replicas.contains { $0.contains { $0.layers == pin.layers && $0.nodes.contains(pin.node) } }
        }
    }

    /// Replicas that are changed; those beyond are left alone, for time's sake.
    private static let changedReplicaCount = 4

    private func changes(_ replicas: [[StageChoice]]) -> [[[StageChoice]]] {
        let used = Set(replicas.flatMap { $0.flatMap(\.nodes) })
        let free = Array(spares.lazy.filter { !used.contains($0) }.prefix(6))
        var result: [[[StageChoice]]] = []
        for index in replicas.indices.prefix(Self.changedReplicaCount) {
            for changed in changes(of: replicas[index], free: free) {
                var next = replicas
                next[index] = changed
                result.append(next)
            }
            guard replicas.count > 1, !keepsShape else { continue }
            var fewer = replicas
            fewer.remove(at: index)
            result.append(fewer)
        }
        return result
    }

    private func changes(of stages: [StageChoice], free: [Int]) -> [[StageChoice]] {
        var result: [[StageChoice]] = []
        // A layer more here, a layer less there.
        for index in stages.indices.dropLast() {
            for shift in [-4, -1, 1, 4] {
                let border = stages[index].layers.upperBound + shift
                guard stages[index].layers.lowerBound < border, border < stages[index + 1].layers.upperBound else {
                    continue
                }
                var next = stages
                next[index].layers = stages[index].layers.lowerBound..<border
                next[index + 1].layers = border..<stages[index + 1].layers.upperBound
                result.append(next)
            }
        }
        for index in stages.indices {
            // Another node instead of one.
            for place in stages[index].nodes.indices {
                for node in free {
                    var next = stages
                    next[index].nodes[place] = node
                    result.append(next)
                }
            }
            // Two stages in each other's place, with their numbers of layers or without.
            for other in stages.indices where other > index && stages.count <= 8 {
                if keepsShape, stages[other].nodes.count != stages[index].nodes.count { continue }
                var next = stages
                next[index].nodes = stages[other].nodes
                next[other].nodes = stages[index].nodes
                result.append(next)
            }
            guard !keepsShape else { continue }
            for node in free { result += with(node, at: index, stages) }
            if stages[index].nodes.count > 1 {
                for place in stages[index].nodes.indices {
                    var next = stages
                    next[index].nodes.remove(at: place)
                    result.append(next)
                }
            }
            if stages.count > 1 { result.append(without(index, stages)) }
        }
        return result
    }

    /// The pipeline with one node more, as a rank of a stage or as a stage of its own beside it.
    func with(_ node: Int, at index: Int, _ stages: [StageChoice]) -> [[StageChoice]] {
        var rank = stages
        rank[index].nodes.append(node)
        let layers = stages[index].layers
        let counts = [1, 2, 4, layers.count / 2, layers.count - 1].filter { $0 > 0 && $0 < layers.count }
        return [rank]
            + counts.flatMap { count -> [[StageChoice]] in
                var (before, after) = (stages, stages)
                before[index].layers = layers.lowerBound + count..<layers.upperBound
                before.insert(
                    StageChoice(nodes: [node], layers: layers.lowerBound..<layers.lowerBound + count), at: index)
                after[index].layers = layers.lowerBound..<layers.upperBound - count
                after.insert(
                    StageChoice(nodes: [node], layers: layers.upperBound - count..<layers.upperBound), at: index + 1)
                return [before, after]
            }
    }

    /// The placement without one of its nodes, in every way.
    func removals(_ replicas: [[StageChoice]]) -> [[[StageChoice]]] {
        var result: [[[StageChoice]]] = []
        for (index, stages) in replicas.enumerated() {
            for (number, stage) in stages.enumerated() {
                for place in stage.nodes.indices where stage.nodes.count > 1 {
                    var next = replicas
                    next[index][number].nodes.remove(at: place)
                    result.append(next)
                }
                guard stage.nodes.count == 1 else { continue }
                var next = replicas
                if stages.count > 1 {
                    next[index] = without(number, stages)
                } else if replicas.count > 1 {
                    next.remove(at: index)
                } else {
                    continue
                }
                result.append(next)
            }
        }
        return result
    }

    /// A neighbour takes the layers of a stage that is dissolved.
    private func without(_ index: Int, _ stages: [StageChoice]) -> [StageChoice] {
        var next = stages
        let layers = next.remove(at: index).layers
        if index > 0 {
            next[index - 1].layers = next[index - 1].layers.lowerBound..<layers.upperBound
        } else {
            next[0].layers = layers.lowerBound..<next[0].layers.upperBound
        }
        return next
    }
}
