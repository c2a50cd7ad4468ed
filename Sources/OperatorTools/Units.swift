/// Numbers as people read them.
public enum Units {
    /// Three significant digits in binary units: `98.4 MiB`, `1.21 GiB`.
    public static func bytes(_ count: UInt64) -> String {
        let names = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var (value, unit) = (Double(count), 0)
        while value >= 1023.5, unit + 1 < names.count {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(significant(value)) \(names[unit])"
    }

    /// With as many decimals as make three significant digits.
    public static func significant(_ value: Double) -> String {
        guard value.isFinite else { return "–" }
        return switch abs(value) {
        case ..<9.995: decimal(value, places: 2)
        case ..<99.95: decimal(value, places: 1)
        default: decimal(value, places: 0)
        }
    }

    /// With a fixed number of decimals, 0 to 6.
    public static func decimal(_ value: Double, places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (abs(value) * scale).rounded()
        guard scaled < 1e18 else { return "\(value)" }
        let digits = String(Int(scaled))
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard places > 0 else { return sign + digits }
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        return sign + padded.dropLast(places) + "." + padded.suffix(places)
    }

    /// A part of a whole, such as `83 %`; `–` if there is no whole.
    public static func percent(_ part: Double, of whole: Double) -> String {
        whole > 0 ? "\(decimal(100 * part / whole, places: 0)) %" : "–"
    }

    /// A whole number with commas, such as `2,412,820,480`.
    public static func thousands(_ value: Int) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        return (value < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
    }

    /// A range with both ends, such as `16–23`; a single number as itself.
    static func inclusive(_ range: Range<Int>) -> String {
        range.count <= 1 ? "\(range.lowerBound)" : "\(range.lowerBound)–\(range.upperBound - 1)"
    }
}
