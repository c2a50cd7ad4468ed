public import ClusterCore
import Transport

/// A cluster's health as text: a table of its nodes, a picture of where they stand, what is wrong with any, and the
/// cluster's state in one line.
public struct HealthTable: Sendable {
    /// Columns that the table fits into if names allow it.
    public var width = 120
    /// Columns that the picture fits into.
    public var pictureWidth = 120
    public var isColoured = false
    /// Adds a line of further figures for each node, and what was measured of nodes and links.
    public var isVerbose = false

    public init() {}

    /// All lines, without a line break after the last.
    public func text(_ health: ClusterHealth) -> String {
        var lines: [String] = []
        if !health.nodes.isEmpty {
            let showsReplicas = health.replicas.count > 1
            let showsRanks = showsReplicas || health.nodes.contains { ($0.rank ?? 0) > 0 }
            let rows = health.nodes.map { row($0, showsRanks: showsRanks, showsReplicas: showsReplicas) }
            lines += TextTable(columns: Self.columns(showsRanks: showsRanks), rows: rows)
                .lines(width: width, isColoured: isColoured)
        }
        lines += pictures(health)
        for node in health.nodes where !node.detail.isEmpty { lines.append("\(node.name): \(node.detail)".printable) }
        if isVerbose {
            lines += health.nodes.map(furtherFigures)
            var table = MeasurementTable()
            (table.width, table.isColoured) = (width, isColoured)
            lines += table.lines(health)
        }
        lines.append(stateLine(health))
        return lines.joined(separator: "\n")
    }

    /// Where the nodes stand, for each replica; with several, each with what it does.
    private func pictures(_ health: ClusterHealth) -> [String] {
        guard health.replicas.count > 1 else {
            return PlacementPicture(health.nodes)?.lines(width: pictureWidth) ?? []
        }
        return health.replicas.enumerated().flatMap { index, replica in
            let picture = PlacementPicture(health.nodes.filter { $0.replica == index })
            return [replicaLine(index, replica)] + (picture?.lines(width: pictureWidth) ?? [])
        }
    }

    /// Such as `replica 1: serving; 2 running, 0 queued; 812 prompt tokens and 300 new ones to go; 41.0 tok/s`.
    private func replicaLine(_ index: Int, _ replica: ReplicaHealth) -> String {
        var state = replica.state.rawValue
        if isColoured { state = (replica.isReady ? TextStyle.green : .yellow).apply(to: state) }
        let breaker =
            switch replica.breaker {
            case .closed: ""
            case .open: ", breaker open"
            case .halfOpen: ", breaker half-open"
            }
        let figures = [
            "\(replica.runningRequestCount) running, \(replica.queuedRequestCount) queued",
            "\(replica.outstandingPromptTokenCount) prompt tokens and \(replica.outstandingNewTokenCount) new ones to go",
            "\(Units.decimal(replica.tokensPerSecond, places: 1)) tok/s",
        ]
        return "replica \(index): \(state)\(breaker); \(figures.joined(separator: "; "))"
    }

    /// The exit status that tells scripts the same: 0 healthy, 1 degraded or recovering, 2 down.
    public static func exitStatus(_ state: ClusterHealth.State) -> Int32 {
        switch state {
        case .healthy: 0
        case .degraded, .recovering: 1
        case .down: 2
        }
    }

    private static func columns(showsRanks: Bool) -> [TextTable.Column] {
        let place: [TextTable.Column] =
            showsRanks
            ? [.init("STAGE", .right), .init("LAYERS", .right), .init("HEADS", .right)] : [.init("LAYERS", .right)]
        return [
            .init("NODE", minimumWidth: 12), .init("STATE"), .init("CPU", minimumWidth: 8), .init("ISA"),
            .init("THREADS", .right), .init("USED", .right), .init("FREE", .right),
        ] + place + [
            .init("KV", .right), .init("BEAT", .right), .init("RTT", .right), .init("TOK/S", .right),
        ]
    }

    private func row(_ node: NodeHealth, showsRanks: Bool, showsReplicas: Bool) -> [TextTable.Cell] {
        let layers = TextTable.Cell(node.layers.map(Units.inclusive) ?? standby(node) ?? "–")
        let place: [TextTable.Cell] =
            showsRanks
            ? [.init(stage(node, showsReplicas: showsReplicas)), layers, .init(node.heads.map(Units.inclusive) ?? "–")]
            : [layers]
        return [
            .init(node.name.printable), .init(state(node), style: style(node.state)),
            .init(ProcessorName.short(node.cpu).printable), .init(node.instructionSet.printable),
            .init("\(node.threadCount)"),
            .init(Units.bytes(node.memoryUsedByteCount)), .init(Units.bytes(node.memoryFreeByteCount)),
        ] + place + [
            .init(Units.percent(Double(node.keyValueTokenCount), of: Double(node.keyValueTokenCapacity))),
            .init("\(Units.decimal(node.secondsSinceHeartbeat, places: 1)) s"),
            .init(node.roundTripMilliseconds.map { "\(Units.significant($0)) ms" } ?? "–"),
            .init(Units.decimal(node.tokensPerSecond, places: 1)),
        ]
    }

    /// What a spare keeps ready, such as `warm 0–13`.
    private func standby(_ node: NodeHealth) -> String? {
        guard let standby = node.standby, standby.firstLayer < standby.endLayer else { return nil }
        let state = standby.isWarm ? "warm" : standby.problem.isEmpty ? "warming" : "cold"
        return "\(state) \(Units.inclusive(standby.firstLayer..<standby.endLayer))"
    }

    /// With how much of its weights a node has that loads, such as `loading 43 %`.
    private func state(_ node: NodeHealth) -> String {
        guard let loaded = node.loadedByteCount, let needed = node.neededByteCount, needed > 0 else {
            return node.state.rawValue
        }
        return "\(node.state.rawValue) \(Units.percent(Double(loaded), of: Double(needed)))"
    }

    /// Stage and rank, such as `0.1`; of several replicas with that before it, such as `1/0.1`, as `ryz plan` has it.
    private func stage(_ node: NodeHealth, showsReplicas: Bool) -> String {
        let replica = showsReplicas ? node.replica.map { "\($0)/" } ?? "" : ""
        guard let stage = node.stage ?? node.standby?.stage, let rank = node.rank ?? node.standby?.rank else {
            return replica.isEmpty ? "–" : "\(replica)–"
        }
        return "\(replica)\(stage).\(rank)"
    }

    private func style(_ state: NodeHealth.State) -> TextStyle {
        switch state {
        case .ready, .spare: .green
        case .joining, .loading, .suspect, .draining: .yellow
        case .lost: .red
        case .left, .drained: .dim
        }
    }

    private func furtherFigures(_ node: NodeHealth) -> String {
        "\(node.name): process \(node.processID), \(node.cpu)".printable + ", KV \(node.keyValueTokenCount) of "
            + "\(node.keyValueTokenCapacity) tokens, \(node.droppedFrameCount) frames dropped, "
            + "\(Units.bytes(node.fetchedByteCount)) of weights fetched, "
            + "\(Units.bytes(node.fetchedFromWorkersByteCount)) of them from other workers"
    }

    private func stateLine(_ health: ClusterHealth) -> String {
        var state = health.state.rawValue
        if isColoured {
            let style: TextStyle =
                switch health.state {
                case .healthy: .green
                case .degraded, .recovering: .yellow
                case .down: .red
                }
            state = style.apply(to: state)
        }
        if !health.reason.isEmpty { state += " (\(health.reason.printable))" }
        let last = health.secondsSinceLastToken.map { "last token \(Units.decimal($0, places: 1)) s ago" }
        let interrupted = health.interruptedRequestCount
        var figures = [
            "\(health.runningRequestCount) running, \(health.queuedRequestCount) of \(health.queueLimit) queued"
                + (interrupted > 0 ? ", \(interrupted) of them to be rebuilt" : ""),
            "\(Units.decimal(health.tokensPerSecond, places: 1)) tok/s", last ?? "no token yet",
            "\(health.droppedFrameCount) frames dropped",
        ]
        if isVerbose {
            figures.append("\(health.keptTokenCount) tokens of ended requests kept, \(health.reusedTokenCount) reused")
        }
        return
            "\(health.clusterID.printable): \(health.model.printable) is \(state); \(figures.joined(separator: "; "))"
    }
}

extension PlacementPicture {
    /// The nodes of a replica that have a place; nil if there are fewer than two.
    public init?(_ nodes: [NodeHealth]) {
        let placed = nodes.filter { $0.stage != nil && $0.layers != nil }
            .sorted { ($0.stage ?? 0, $0.rank ?? 0) < ($1.stage ?? 0, $1.rank ?? 0) }
        guard placed.count > 1 else { return nil }
        var stages: [Stage] = []
        var lastStage: Int?
        for node in placed {
            if node.stage != lastStage { stages.append(Stage(layers: node.layers ?? 0..<0, ranks: [])) }
            lastStage = node.stage
            stages[stages.count - 1].ranks.append(Rank(name: node.name.printable, heads: node.heads))
        }
        self.init(stages: stages)
    }
}

extension NodeHealth {
    /// Nil if it holds none.
    fileprivate var layers: Range<Int>? { Self.range(firstLayer, endLayer) }
    fileprivate var heads: Range<Int>? { Self.range(firstKeyValueHead, endKeyValueHead) }

    private static func range(_ first: Int?, _ end: Int?) -> Range<Int>? {
        guard let first, let end, first < end else { return nil }
        return first..<end
    }
}
