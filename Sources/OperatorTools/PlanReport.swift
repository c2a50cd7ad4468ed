public import ClusterCore
import Transport

/// A plan with what it is for, as `ryz plan` prints it.
public struct PlanReport: Sendable {
    public var plan: Plan
    public var request: PlanRequest
    public var costs: ModelCosts
    public var nodeCount: Int

    public init(_ plan: Plan, request: PlanRequest, costs: ModelCosts, nodeCount: Int) {
        self.plan = plan
        self.request = request
        self.costs = costs
        self.nodeCount = nodeCount
    }
}

extension PlanReport {
    /// Left-out nodes beyond these are only counted in the text.
    private static let shownLeftOutCount = 8

    /// Larger placements are not drawn: nobody takes that in.
    private static let drawnNodeCount = 24

    /// The plan as people read it.
    ///
    /// - Parameters:
    ///   - width: columns of the table.
    ///   - pictureWidth: columns of the drawing.
    public func text(width: Int, pictureWidth: Int, isColoured: Bool) -> String {
        let prediction = plan.chosen.prediction
        let placement = plan.chosen.placement
        let facts = [
            ("model", "\(costs.name.printable), \(costs.layerCount) layers"),
            (
                "objective",
                request.objective == .latency
                    ? "latency of one stream" : "throughput of \(request.concurrency) streams"
            ),
            ("placement", "\(Self.name(placement.shape)), ranks \(placement.rankCountsText)"),
            (
                "one stream",
                "\(Units.significant(prediction.tokensPerSecond)) tok/s, \(Self.time(prediction.secondsPerToken)) a token: "
                    + Self.parts(prediction)
            ),
            (
                "\(prediction.concurrency) streams",
                "\(Units.significant(prediction.throughputTokensPerSecond)) tok/s together"
            ),
            (
                "first token",
                "\(Self.time(prediction.secondsToFirstToken)) for a prompt of \(request.promptLength) tokens"
            ),
            ("limit", "\(prediction.limit)".printable), ("why", plan.chosen.reason.printable),
        ]
        var blocks = [
            facts.map { $0.0 + String(repeating: " ", count: max(1, 14 - $0.0.count)) + $0.1 },
            nodeTable.lines(width: width, isColoured: isColoured),
        ]
        if placement.nodes.count <= Self.drawnNodeCount {
            blocks += placement.replicas.map { PlacementPicture($0).lines(width: pictureWidth) }
        }
        if !plan.alternatives.isEmpty {
            blocks.append(["Alternatives"] + plan.alternatives.map { alternativeLine($0) })
        }
        if !plan.leftOut.isEmpty {
            let shown = plan.leftOut.prefix(Self.shownLeftOutCount).map { "  \($0.node): \($0.reason)".printable }
            let more = plan.leftOut.count - shown.count
            blocks.append(["Without a part"] + shown + (more > 0 ? ["  and \(more) more"] : []))
        }
        return blocks.map { $0.joined(separator: "\n") }.joined(separator: "\n\n")
    }

    private var nodeTable: TextTable {
        let placement = plan.chosen.placement
        var rows: [[TextTable.Cell]] = []
        for (replica, pipeline) in placement.replicas.enumerated() {
            for (index, stage) in pipeline.stages.enumerated() {
                for (rank, member) in stage.ranks.enumerated() {
                    let node = plan.chosen.prediction.nodes[rows.count]
                    let replicaName = placement.replicas.count > 1 ? "\(replica)/" : ""
                    rows.append([
                        .init("\(replicaName)\(index).\(rank)"), .init(member.node.printable),
                        .init(Self.range(stage.layers)), .init(Self.range(member.share.keyValueHeads)),
                        .init(Self.range(member.share.feedForwardBlocks)),
                        .init(Self.range(member.share.vocabularyChunks)), .init(Units.bytes(node.weightsByteCount)),
                        .init(Units.bytes(node.keyValueByteCount)), .init(Units.bytes(node.memoryByteCount)),
                        .init(
                            Units.percent(Double(node.memoryByteCount), of: Double(node.memoryLimitByteCount))),
                        .init(Self.time(node.stageSecondsPerToken)),
                    ])
                }
            }
        }
        return TextTable(
            columns: [
                .init("STAGE", .right), .init("NODE", minimumWidth: 10),
                .init("LAYERS", .right), .init("KV HEADS", .right), .init("BLOCKS", .right), .init("VOCAB", .right),
                .init("WEIGHTS", .right), .init("KV", .right), .init("MEMORY", .right), .init("OF", .right),
                .init("TIME", .right),
            ], rows: rows)
    }

    private func alternativeLine(_ option: PlanOption) -> String {
        let prediction = option.prediction
        let rate =
            request.objective == .latency ? prediction.tokensPerSecond : prediction.throughputTokensPerSecond
        let nodes = option.placement.nodes
        let named = nodes.prefix(4).joined(separator: ", ") + (nodes.count > 4 ? ", …" : "")
        return "  \(Self.name(option.placement.shape)) of \(nodes.count) (\(named)), ".printable
            + "\(Units.significant(rate)) tok/s: \(option.reason)".printable
    }

    static func name(_ shape: PlacementShape) -> String {
        switch shape {
        case .singleNode: "single node"
        case .pipeline: "pipeline"
        case .tensorGroup: "tensor group"
        case .hybrid: "hybrid"
        case .replicas: "replicas"
        }
    }

    private static func range(_ range: Range<Int>) -> String {
        if range.isEmpty { return "–" }
        return range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound - 1)"
    }

    private static func parts(_ prediction: PlacementPrediction) -> String {
        let parts = [
            ("weights", prediction.weightsSeconds), ("synchronising", prediction.synchronisationSeconds),
            ("hops", prediction.hopSeconds), ("other", prediction.overheadSeconds),
        ]
        return parts.filter { $0.1 > 0 }.map { "\($0.0) \(time($0.1))" }.joined(separator: ", ")
    }

    private static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<1e-3: "\(Units.significant(seconds * 1e6)) µs"
        case ..<1: "\(Units.significant(seconds * 1e3)) ms"
        default: "\(Units.significant(seconds)) s"
        }
    }
}

extension PlacementPicture {
    /// A planned pipeline.
    fileprivate init(_ replica: PlannedPlacement.Replica) {
        self.init(
            stages: replica.stages.map { stage in
                Stage(
                    layers: stage.layers,
                    ranks: stage.ranks.map { Rank(name: $0.node, heads: $0.share.keyValueHeads) })
            })
    }
}
