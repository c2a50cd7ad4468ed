import Transport

/// The stages of one epoch, in order: who holds which layers, and what of them.
public struct PlacedPipeline: Sendable, Equatable {
    public struct Stage: Sendable, Equatable {
        /// In order, at least one.
        public let ranks: [StageRank]
        public let layers: Range<Int>
    }

    /// Where a node stands.
    public struct Place: Sendable, Equatable {
        public let stage: Int
        public let rank: Int
    }

    public let epoch: Epoch
    /// At least one.
    public let stages: [Stage]

    /// A node's place; nil if it has none.
    public func place(of node: NodeID) -> Place? {
        for (stage, placed) in stages.enumerated() {
            if let rank = placed.ranks.firstIndex(where: { $0.peer.node == node }) {
                return Place(stage: stage, rank: rank)
            }
        }
        return nil
    }

    /// The place of the node at that position in `nodes`; nil if there is none.
    func place(at position: Int) -> Place? {
        var rest = position
        for (stage, placed) in stages.enumerated() {
            if rest < placed.ranks.count { return Place(stage: stage, rank: rest) }
            rest -= placed.ranks.count
        }
        return nil
    }

    /// All nodes, in order of stages and ranks.
    public var nodes: [NodeID] { stages.flatMap(\.nodes) }

    /// The ranks of the first stage, which take steps from the coordinator.
    public var entrances: [Peer] { stages[0].ranks.map(\.peer) }

    /// Who sends results to the coordinator: rank 0 of the last stage.
    public var answering: NodeID { stages[stages.count - 1].ranks[0].peer.node }
}

extension PlacedPipeline.Stage {
    /// In order of ranks.
    public var nodes: [NodeID] { ranks.map(\.peer.node) }
}

extension PlacedPipeline {
    /// What each rank is told, in order of stages and ranks.
    func assignments(_ configuration: PlacementConfiguration) -> [StageAssignment] {
        stages.indices.flatMap { stage in
            stages[stage].ranks.indices.map { assignment(Place(stage: stage, rank: $0), configuration) }
        }
    }

    /// What a node would be told that took the place at that position in `nodes`.
    func assignment(of position: Int, to peer: Peer, _ configuration: PlacementConfiguration) -> StageAssignment? {
        guard let place = place(at: position) else { return nil }
        var assignment = assignment(place, configuration)
        assignment.ranks[place.rank].peer = peer
        return assignment
    }

    /// Rank j of a stage gets its hidden states from rank j modulo the number of ranks of the stage before.
    private func assignment(_ place: Place, _ configuration: PlacementConfiguration) -> StageAssignment {
        let ranks = stages[place.stage].ranks
        let before = place.stage > 0 ? stages[place.stage - 1].ranks : []
        let after = place.stage + 1 < stages.count ? stages[place.stage + 1].ranks : []
        return StageAssignment(
            modelFile: configuration.modelFile, stage: place.stage, stageCount: stages.count, rank: place.rank,
            ranks: ranks, layers: stages[place.stage].layers,
            next: after.indices.filter { $0 % ranks.count == place.rank }.map { after[$0].peer },
            previous: before.isEmpty ? .coordinator : before[place.rank % before.count].peer.node,
            contextLength: configuration.contextLength, keyValueTokenCapacity: configuration.keyValueTokenCapacity,
            maximumStepRowCount: configuration.maximumStepRowCount, headPrecision: configuration.headPrecision,
            activationGrid: configuration.activationGrid)
    }
}
