public import Transport

/// Who holds what: the model as often as there are replicas.
public struct PlannedPlacement: Sendable, Equatable {
    /// One node's part of a stage.
    public struct Rank: Sendable, Equatable {
        public var node: String
        /// What it holds of each of the stage's layers.
        public var share: RankShare
    }

    /// Neighbouring layers, held by one node or by several ranks.
    public struct Stage: Sendable, Equatable {
        public var layers: Range<Int>
        /// At least one.
        public var ranks: [Rank]
    }

    /// A pipeline that holds the whole model.
    public struct Replica: Sendable, Equatable {
        /// In order, at least one.
        public var stages: [Stage]
    }

    /// At least one. Streams are spread over them by their speed.
    public var replicas: [Replica]

    /// In order of replica, stage and rank.
    public var nodes: [String] { replicas.flatMap { $0.stages.flatMap { $0.ranks.map(\.node) } } }

    /// What kind of placement it is.
    public var shape: PlacementShape {
        guard replicas.count == 1 else { return .replicas }
        let stages = replicas[0].stages
        switch (stages.count, stages.map(\.ranks.count).max() ?? 1) {
        case (1, 1): return .singleNode
        case (1, _): return .tensorGroup
        case (_, 1): return .pipeline
        default: return .hybrid
        }
    }

    /// Such as `2,1,3` for the ranks of the stages; replicas are parted by `+`.
    public var rankCountsText: String {
        replicas.map { $0.stages.map { "\($0.ranks.count)" }.joined(separator: ",") }.joined(separator: " + ")
    }
}

/// Kinds of placements.
public enum PlacementShape: String, Sendable, Equatable, Codable, CaseIterable {
    case singleNode = "single_node"
    case pipeline
    case tensorGroup = "tensor_group"
    case hybrid
    case replicas
}

/// A placement with what it is expected to do.
public struct PlanOption: Sendable, Equatable {
    public var placement: PlannedPlacement
    public var prediction: PlacementPrediction
    /// Why it is the best, or why it lost.
    public var reason: String
}

/// The answer of the planner.
public struct Plan: Sendable, Equatable {
    public var chosen: PlanOption
    /// The next best of other kinds, best first.
    public var alternatives: [PlanOption]
    /// Nodes without a part, each with why.
    public var leftOut: [LeftOutNode]

    public struct LeftOutNode: Sendable, Equatable {
        public var node: String
        public var reason: String
    }
}
