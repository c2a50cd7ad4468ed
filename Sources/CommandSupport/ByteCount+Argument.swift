public import ArgumentParser

/// A number of bytes on a command line, such as `40GiB`.
public struct ByteCount: ExpressibleByArgument, Equatable, Sendable {
    /// Over 0.
    public let value: Int

    private static let units: [(name: String, factor: Double)] = [
        ("TiB", 1_099_511_627_776), ("GiB", 1_073_741_824), ("MiB", 1_048_576), ("KiB", 1024), ("TB", 1e12),
        ("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1),
    ]

    public init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.hasSuffix($0.name) }),
            let number = Double(argument.dropLast(unit.name.count)), number > 0, number * unit.factor < 1e18,
            number * unit.factor >= 1
        else { return nil }
        value = Int(number * unit.factor)
    }
}
