public import ClusterCore
import Transport

/// What a cluster has measured as text: a table of its nodes, one of their links, and what could not be measured.
public struct MeasurementTable: Sendable {
    /// Columns that the tables fit into if names allow it.
    public var width = 120
    public var isColoured = false

    public init() {}

    /// All lines, without a line break after the last; empty if nothing was measured and nothing is going to be.
    public func lines(_ health: ClusterHealth) -> [String] {
        var lines: [String] = []
        let measured = health.nodes.filter { $0.rates != nil }
        if !measured.isEmpty { lines += nodeTable(measured).lines(width: width, isColoured: isColoured) }
        let measuring = health.measuring
        if !measuring.links.isEmpty { lines += linkTable(measuring.links).lines(width: width, isColoured: isColoured) }
        lines += measuring.problems.map(\.printable)
        if measuring.pendingCount > 0 { lines.append("\(measuring.pendingCount) still to be measured") }
        return lines
    }

    private func nodeTable(_ nodes: [NodeHealth]) -> TextTable {
        TextTable(
            columns: [
                .init("MEASURED", minimumWidth: 12), .init("TERNARY", .right), .init("GMAC/S", .right),
                .init("OTHER", .right), .init("GMAC/S", .right), .init("ATTENTION", .right), .init("HOST", .right),
                .init("CORES", .right),
                .init("FREE", .right),
            ],
            rows: nodes.map { node in
                guard let rates = node.rates else { return [] }
                return [
                    .init(node.name.printable), .init(Self.bandwidth(rates.ternary.bytesPerSecond)),
                    .init(Units.significant(rates.ternary.multiplyAddsPerSecond / 1e9)),
                    .init(Self.bandwidth(rates.other.bytesPerSecond)),
                    .init(Units.significant(rates.other.multiplyAddsPerSecond / 1e9)),
                    .init(Self.bandwidth(rates.attention.bytesPerSecond)),
                    .init(Self.bandwidth(rates.hostBytesPerSecond)), .init("\(rates.hostCoreCount)"),
                    .init(Units.bytes(rates.memoryFreeByteCount)),
                ]
            })
    }

    private func linkTable(_ links: [MeasuringHealth.Link]) -> TextTable {
        // All links are measured with the same sizes.
        let sizes = links[0].link.sockets.roundTrips.map(\.byteCount)
        return TextTable(
            columns: [.init("LINK", minimumWidth: 12), .init("OVER")]
                + sizes.map { .init("RTT \(Self.size($0))", .right) }
                + [.init("BANDWIDTH", .right)],
            rows: links.flatMap { link in
                let name = "\(link.first) – \(link.second)".printable
                return [row(name, link.link.sockets, "sockets", sizes)]
                    + (link.link.memory.map { [row("", $0, "memory", sizes)] } ?? [])
            })
    }

    private func row(_ name: String, _ link: LinkMeasurement, _ way: String, _ sizes: [Int]) -> [TextTable.Cell] {
        let trips = sizes.map { size in link.roundTrips.first { $0.byteCount == size } }
        return [.init(name), .init(way)] + trips.map { .init($0.map { Self.time($0.seconds) } ?? "–") }
            + [.init(Self.bandwidth(link.bandwidthBytesPerSecond))]
    }

    private static func bandwidth(_ bytesPerSecond: Double) -> String {
        "\(Units.significant(bytesPerSecond / 1e9)) GB/s"
    }

    /// Such as `10 KiB`.
    private static func size(_ byteCount: Int) -> String {
        switch byteCount {
        case (1 << 20)...: "\(byteCount >> 20) MiB"
        case (1 << 10)...: "\(byteCount >> 10) KiB"
        default: "\(byteCount) B"
        }
    }

    private static func time(_ seconds: Double) -> String {
        seconds < 1e-3 ? "\(Units.significant(seconds * 1e6)) µs" : "\(Units.significant(seconds * 1e3)) ms"
    }
}
