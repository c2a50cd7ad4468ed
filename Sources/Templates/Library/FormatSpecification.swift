/// How one value is laid out in a formatted string: `%-8.2f`, or `{:>8.2f}`.
struct FormatSpecification {
    enum Alignment: Unicode.Scalar {
        case left = "<"
        case right = ">"
        case centre = "^"
        /// Padding goes between sign and digits.
        case afterSign = "="
    }

    var fill: Character = " "
    var alignment: Alignment?
    /// What positive numbers start with: nothing, a plus or a space.
    var positiveSign = ""
    var showsRadix = false
    var width = 0
    var groupSeparator: String?
    var precision: Int?
    var type: Unicode.Scalar?

    private static let maximumDigitCount = 4

    init() {}

    /// Reads a specification of `str.format`; nil if it is not one.
    init?(_ text: String) {
        var scalars = Array(text.unicodeScalars)[...]
        if scalars.count > 1, let alignment = Alignment(rawValue: scalars[scalars.startIndex + 1]) {
            fill = Character(scalars.removeFirst())
            self.alignment = alignment
            scalars.removeFirst()
        } else if let first = scalars.first, let alignment = Alignment(rawValue: first) {
            self.alignment = alignment
            scalars.removeFirst()
        }
        if let first = scalars.first, first == "+" || first == " " || first == "-" {
            positiveSign = first == "-" ? "" : String(first)
            scalars.removeFirst()
        }
        if scalars.first == "#" {
            showsRadix = true
            scalars.removeFirst()
        }
        if scalars.first == "0" {
            if alignment == nil { (fill, alignment) = ("0", .afterSign) }
            scalars.removeFirst()
        }
        guard let width = Self.takeNumber(&scalars) else { return nil }
        self.width = width
        if let first = scalars.first, first == "," || first == "_" {
            groupSeparator = String(first)
            scalars.removeFirst()
        }
        if scalars.first == "." {
            scalars.removeFirst()
            guard let first = scalars.first, first.isASCIIDigit, let precision = Self.takeNumber(&scalars) else {
                return nil
            }
            self.precision = precision
        }
        type = scalars.popFirst()
        guard scalars.isEmpty else { return nil }
    }

    /// Takes digits off the front, 0 if there are none; nil for more than a few.
    static func takeNumber(_ scalars: inout ArraySlice<Unicode.Scalar>) -> Int? {
        let digits = scalars.prefix { $0.isASCIIDigit }
        scalars.removeFirst(digits.count)
        guard digits.count <= maximumDigitCount else { return nil }
        return digits.isEmpty ? 0 : Int(String(digits))
    }

    /// The value in this layout; nil if its type does not fit the specification's.
    func formatted(_ value: TemplateValue, text: String) -> String? {
        switch type {
        case nil where Number(value) == nil || value.isBoolean, "s":
            if type == "s", Number(value) != nil, !acceptsAnyAsText { return nil }
            let shown = precision.map { String(text.unicodeScalars.prefix($0)) } ?? text
            return padded("", shown, default: .left)
        case nil:
            if precision != nil { return nil }
            let isNegative = text.hasPrefix("-")
            return padded(isNegative ? "-" : positiveSign, grouped(isNegative ? String(text.dropFirst()) : text))
        case "d", "i", "u", "x", "X", "o", "b": return formattedInteger(value)
        case "f", "F", "%": return formattedFloat(value)
        default: return nil
        }
    }

    /// `%s` takes any value, `{:s}` only strings.
    var acceptsAnyAsText = false

    private func formattedInteger(_ value: TemplateValue) -> String? {
        let integer: Int
        switch Number(value) {
        case .integer(let number): integer = number
        // `%d` cuts floats, `{:d}` refuses them.
        case .float(let number):
            guard acceptsAnyAsText, let truncated = Int(exactly: number.rounded(.towardZero)) else { return nil }
            integer = truncated
        case nil: return nil
        }
        let radixes: [Unicode.Scalar: (Int, String)] = [
            "x": (16, "0x"), "X": (16, "0X"), "o": (8, "0o"), "b": (2, "0b"),
        ]
        let (radix, prefix) = type.flatMap { radixes[$0] } ?? (10, "")
        let digits = String(integer.magnitude, radix: radix, uppercase: type == "X")
        return padded((integer < 0 ? "-" : positiveSign) + (showsRadix ? prefix : ""), grouped(digits))
    }

    private func formattedFloat(_ value: TemplateValue) -> String? {
        guard let number = Number(value)?.double else { return nil }
        let digitCount = precision ?? 6
        guard digitCount <= PythonFloat.maximumFractionDigitCount else { return nil }
        let scaled = type == "%" ? number * 100 : number
        let digits = PythonFloat.fixed(scaled.magnitude, fractionDigitCount: digitCount)
        let isNegative = scaled.sign == .minus && !scaled.isNaN
        return padded(isNegative ? "-" : positiveSign, grouped(digits) + (type == "%" ? "%" : ""))
    }

    private func grouped(_ digits: String) -> String {
        guard let groupSeparator else { return digits }
        let parts = digits.split(separator: ".", maxSplits: 1)
        let whole = Array(parts[0])
        var result = ""
        for (index, digit) in whole.enumerated() {
            if index > 0, (whole.count - index) % 3 == 0 { result += groupSeparator }
            result.append(digit)
        }
        return parts.count > 1 ? result + "." + parts[1] : result
    }

    private func padded(_ sign: String, _ digits: String, default fallback: Alignment = .right) -> String {
        let missing = max(0, width - sign.unicodeScalars.count - digits.unicodeScalars.count)
        func padding(_ count: Int) -> String { String(repeating: fill, count: count) }
        switch alignment ?? fallback {
        case .left: return sign + digits + padding(missing)
        case .right: return padding(missing) + sign + digits
        case .centre: return padding(missing / 2) + sign + digits + padding(missing - missing / 2)
        case .afterSign: return sign + padding(missing) + digits
        }
    }
}

extension TemplateValue {
    var isBoolean: Bool {
        if case .boolean = self { true } else { false }
    }
}
