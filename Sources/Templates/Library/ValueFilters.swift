/// Filters on single values: defaults, conversions and arithmetic.
enum ValueFilters {
    static let table: [String: Filter] = [
        "default": fallback, "d": fallback, "int": toInteger, "float": toFloat, "bool": toBoolean, "abs": magnitude,
        "round": round, "attr": attribute,
    ]

    @Sendable private static func fallback(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["default_value", "boolean"], of: "default", in: renderer)
        let replacesFalse = given[1]?.isTrue ?? false
        return value.isUndefined || replacesFalse && !value.isTrue ? given[0] ?? "" : value
    }

    @Sendable private static func toInteger(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["default", "base"], of: "int", in: renderer)
        let fallback = given[0] ?? 0
        let base = try renderer.integer(given[1], "the base", fallback: 10)
        switch value {
        case .undefined(let problem): throw renderer.failure("\(problem), so it has no integer; use |default first")
        case .integer, .largeInteger: return value
        case .boolean(let value): return .integer(value ? 1 : 0)
        case .float(let value): return Int(exactly: value.rounded(.towardZero)).map { .integer($0) } ?? fallback
        case .string(let text):
            guard (2...36).contains(base) else {
                throw renderer.failure("the base \(base) is not from 2 to 36; use 10")
            }
            var digits = PythonText.stripped(text, .both, of: nil).lowercased()
            if let prefix = [16: "0x", 8: "0o", 2: "0b"][base], digits.hasPrefix(prefix) { digits.removeFirst(2) }
            if let integer = Int(withoutUnderscores(digits), radix: base) { return .integer(integer) }
            return parsed(text).flatMap { Int(exactly: $0.rounded(.towardZero)) }.map { .integer($0) } ?? fallback
        case .null, .list, .tuple, .mapping, .object: return fallback
        }
    }

    /// The text without single underscores between digits, which Python allows.
    private static func withoutUnderscores(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = String.UnicodeScalarView()
        for (index, scalar) in scalars.enumerated() {
            let isBetweenDigits =
                index > 0 && index + 1 < scalars.count && scalars[index - 1].isLetterOrDigit
                && scalars[index + 1].isLetterOrDigit
            if scalar != "_" || !isBetweenDigits { result.append(scalar) }
        }
        return String(result)
    }

    /// The float that a text spells as Python's `float` reads it; nil if none.
    private static func parsed(_ text: String) -> Double? {
        let text = withoutUnderscores(PythonText.stripped(text, .both, of: nil).lowercased())
        switch text {
        case "inf", "+inf", "infinity", "+infinity": return .infinity
        case "-inf", "-infinity": return -.infinity
        case "nan", "+nan", "-nan": return .nan
        default:
            // The standard library reads hexadecimal floats, too, which Python does not.
            guard text.unicodeScalars.allSatisfy({ $0.isASCIIDigit || "+-.e".unicodeScalars.contains($0) }) else {
                return nil
            }
            return Double(text)
        }
    }

    @Sendable private static func toFloat(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let fallback = try arguments.bind(["default"], of: "float", in: renderer)[0] ?? 0.0
        switch value {
        case .undefined(let problem): throw renderer.failure("\(problem), so it has no float; use |default first")
        case .string(let text), .largeInteger(let text): return parsed(text).map { .float($0) } ?? fallback
        default: return Number(value).map { .float($0.double) } ?? fallback
        }
    }

    @Sendable private static func toBoolean(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "bool", in: renderer)
        return .boolean(value.isTrue)
    }

    @Sendable private static func magnitude(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "abs", in: renderer)
        if case .float(let number) = value { return .float(number.magnitude) }
        if case .integer(let number) = Number(value), number >= 0 { return .integer(number) }
        return try renderer.negated(value)
    }

    @Sendable private static func round(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["precision", "method"], of: "round", in: renderer)
        let precision = try renderer.integer(given[0], "the precision", fallback: 0)
        let method = try renderer.optionalText(given[1], "the method") ?? "common"
        guard let number = Number(value) else {
            throw renderer.failure("a value of type \(value.typeName) cannot be rounded; use a number")
        }
        switch method {
        case "ceil", "floor":
            let scale = Number.power(10, Double(precision))
            let rounded = (number.double * scale).rounded(method == "ceil" ? .up : .down)
            return .float(rounded / scale)
        case "common":
            guard case .integer(let integer) = number else { return .float(rounded(number.double, precision)) }
            if precision >= 0 { return .integer(integer) }
            return Int(exactly: rounded(Double(integer), precision)).map { .integer($0) } ?? value
        default: throw renderer.failure("round has no method \(method); use common, ceil or floor")
        }
    }

    private static func rounded(_ value: Double, _ precision: Int) -> Double {
        // No double has digits beyond these places.
        if precision > 330 || !value.isFinite { return value }
        if precision < -330 { return value.sign == .minus ? -0.0 : 0.0 }
        if precision >= 0 { return Double(PythonFloat.fixed(value, fractionDigitCount: precision)) ?? value }
        let scale = Number.power(10, Double(-precision))
        return (value / scale).rounded(.toNearestOrEven) * scale
    }

    @Sendable private static func attribute(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["name"], of: "attr", in: renderer)
        let name = try renderer.text(given[0], "the attribute's name")
        // Unlike a dot, this filter never looks at the keys of a mapping.
        if case .mapping = value, !Methods.exists(name, for: value) {
            return .undefined("'dict object' has no attribute '\(name)'")
        }
        return try renderer.attribute(name, of: value)
    }
}

extension Unicode.Scalar {
    fileprivate var isLetterOrDigit: Bool {
        isASCIIDigit || isLetter
    }
}
