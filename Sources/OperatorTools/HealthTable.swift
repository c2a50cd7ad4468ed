public import ClusterCore
import Transport

/// A cluster's health as text: a table of its nodes, what is wrong with any, and the cluster's state in one line.
public struct HealthTable: Sendable {
    /// Columns that the table fits into if names allow it.
    public var width = 120
    public var isColoured = false
    /// Adds a line of further figures for each node.
    public var isVerbose = false

    public init() {}

    /// All lines, without a line break after the last.
    public func text(_ health: ClusterHealth) -> String {
        var lines: [String] = []
        if !health.nodes.isEmpty {
            lines += TextTable(columns: Self.columns, rows: health.nodes.map(row))
                .lines(width: width, isColoured: isColoured)
        }
        for node in health.nodes where !node.detail.isEmpty { lines.append("\(node.name): \(node.detail)".printable) }
        if isVerbose { lines += health.nodes.map(furtherFigures) }
        lines.append(stateLine(health))
        return lines.joined(separator: "\n")
    }

    /// The exit status that tells scripts the same: 0 healthy, 1 degraded, 2 down.
    public static func exitStatus(_ state: ClusterHealth.State) -> Int32 {
        switch state {
        case .healthy: 0
        case .degraded: 1
        case .down: 2
        }
    }

    private static let columns: [TextTable.Column] = [
        .init("NODE", minimumWidth: 12), .init("STATE"), .init("CPU", minimumWidth: 8), .init("ISA"),
        .init("THREADS", .right), .init("USED", .right), .init("FREE", .right), .init("LAYERS", .right),
        .init("KV", .right), .init("BEAT", .right), .init("RTT", .right), .init("TOK/S", .right),
    ]

    private func row(_ node: NodeHealth) -> [TextTable.Cell] {
        [
            .init(node.name.printable), .init(node.state.rawValue, style: style(node.state)),
            .init(ProcessorName.short(node.cpu).printable), .init(node.instructionSet.printable),
            .init("\(node.threadCount)"),
            .init(Units.bytes(node.memoryUsedByteCount)), .init(Units.bytes(node.memoryFreeByteCount)),
            .init(layers(node)),
            .init(Units.percent(Double(node.keyValueTokenCount), of: Double(node.keyValueTokenCapacity))),
            .init("\(Units.decimal(node.secondsSinceHeartbeat, places: 1)) s"),
            .init(node.roundTripMilliseconds.map { "\(Units.significant($0)) ms" } ?? "–"),
            .init(Units.decimal(node.tokensPerSecond, places: 1)),
        ]
    }

    private func layers(_ node: NodeHealth) -> String {
        guard let first = node.firstLayer, let end = node.endLayer, end > first else { return "–" }
        return end - first == 1 ? "\(first)" : "\(first)–\(end - 1)"
    }

    private func style(_ state: NodeHealth.State) -> TextStyle {
        switch state {
        case .ready: .green
        case .joining, .loading, .suspect: .yellow
        case .lost: .red
        case .left: .dim
        }
    }

    private func furtherFigures(_ node: NodeHealth) -> String {
        "\(node.name): process \(node.processID), \(node.cpu)".printable + ", KV \(node.keyValueTokenCount) of "
            + "\(node.keyValueTokenCapacity) tokens, \(node.droppedFrameCount) frames dropped"
    }

    private func stateLine(_ health: ClusterHealth) -> String {
        var state = health.state.rawValue
        if isColoured {
            let style: TextStyle =
                switch health.state {
                case .healthy: .green
                case .degraded: .yellow
                case .down: .red
                }
            state = style.apply(to: state)
        }
        if !health.reason.isEmpty { state += " (\(health.reason.printable))" }
        let last = health.secondsSinceLastToken.map { "last token \(Units.decimal($0, places: 1)) s ago" }
        let figures = [
            "\(health.runningRequestCount) running, \(health.queuedRequestCount) of \(health.queueLimit) queued",
            "\(Units.decimal(health.tokensPerSecond, places: 1)) tok/s", last ?? "no token yet",
            "\(health.droppedFrameCount) frames dropped",
        ]
        return
            "\(health.clusterID.printable): \(health.model.printable) is \(state); \(figures.joined(separator: "; "))"
    }
}
