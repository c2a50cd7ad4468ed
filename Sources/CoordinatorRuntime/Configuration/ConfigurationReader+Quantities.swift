import Yams

extension ConfigurationReader {
    /// What a number with a unit may be of.
    enum Quantity {
        case memory, bandwidth, multiplyAdds, time

        /// Units by name, in bytes, bytes a second, multiply-adds a second or seconds.
        fileprivate var units: [(name: String, factor: Double)] {
            switch self {
            case .memory:
                [
                    ("B", 1), ("KiB", 1024), ("MiB", 1_048_576), ("GiB", 1_073_741_824), ("TiB", 1_099_511_627_776),
                    ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12),
                ]
            case .bandwidth:
                [
                    ("B/s", 1), ("KB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9), ("MiB/s", 1_048_576),
                    ("GiB/s", 1_073_741_824), ("kbit/s", 125), ("Mbit/s", 125e3), ("Gbit/s", 125e6),
                ]
            case .multiplyAdds: [("MAC/s", 1), ("MMAC/s", 1e6), ("GMAC/s", 1e9), ("TMAC/s", 1e12)]
            case .time: [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("s", 1)]
            }
        }

        fileprivate var remedy: String {
            switch self {
            case .memory: "write it as 32GiB"
            case .bandwidth: "write it as 40GB/s or 1Gbit/s"
            case .multiplyAdds: "write it as 200GMAC/s"
            case .time: "write it as 120us or 0.5ms"
            }
        }
    }

    /// A number with a unit, such as `32GiB` or `1 Gbit/s`, in bytes, multiply-adds and seconds. It is over 0, but for
    /// times, which may be 0.
    mutating func quantity(_ node: Node, _ path: String, _ quantity: Quantity) -> Double? {
        guard let text = node.plainOrQuotedText else {
            report(node, path, "\(node.quotedText) is not a number with a unit", quantity.remedy)
            return nil
        }
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let unit = text.dropFirst(digits.count).drop { $0 == " " }
        guard let number = Double(digits), let factor = quantity.units.first(where: { $0.name == unit })?.factor else {
            report(node, path, "\(node.quotedText) is not a number with a unit", quantity.remedy)
            return nil
        }
        let value = number * factor
        guard value.isFinite, value < 1e18, quantity == .time ? value <= 3600 : value > 0 else {
            report(node, path, "\(node.quotedText) is out of range", quantity.remedy)
            return nil
        }
        return value
    }
}
