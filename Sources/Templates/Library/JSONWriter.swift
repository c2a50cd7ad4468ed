/// How JSON text is laid out; the defaults are Python's.
struct JSONFormat {
    /// What one level is indented by; nil puts everything on one line.
    var indentation: String?
    var itemSeparator = ", "
    var keySeparator = ": "
    var escapesNonASCII = false
    var sortsKeys = false
}

extension TemplateValue {
    /// The value as JSON text on one line, laid out as Python's `json.dumps` does without escaping non-ASCII characters.
    ///
    /// - Throws: `TemplateError.evaluation` for undefined values and objects, `.limit` for text of more than
    ///   `limits.outputByteCount` bytes.
    public func jsonText(limits: TemplateLimits = .standard) throws(TemplateError) -> String {
        var renderer = Renderer(context: TemplateMapping(), limits: limits, secondsSince1970: nil)
        return try renderer.jsonText(of: self, JSONFormat())
    }
}

extension Renderer {
    /// Python's `json.dumps(value)`.
    mutating func jsonText(of value: TemplateValue, _ format: JSONFormat) throws(TemplateError) -> String {
        var result = ""
        try appendJSON(of: value, format, level: 0, to: &result)
        return result
    }

    private mutating func appendJSON(
        of value: TemplateValue, _ format: JSONFormat, level: Int, to result: inout String
    ) throws(TemplateError) {
        try spend()
        guard result.utf8.count <= limits.outputByteCount else { return try checkTextLength(result.utf8.count) }
        switch value {
        case .null: result += "null"
        case .boolean(let value): result += value ? "true" : "false"
        case .integer(let value): result += String(value)
        case .largeInteger(let digits): result += digits
        case .float(let value): result += Self.jsonText(of: value)
        case .string(let text): try appendJSON(of: text, format, to: &result)
        case .list(let list), .tuple(let list):
            try appendJSON(of: list.elements, format, level: level, to: &result)
        case .mapping(let mapping): try appendJSON(of: mapping, format, level: level, to: &result)
        case .undefined(let problem): throw failure("\(problem), so it has no JSON text; test it with `is defined`")
        case .object: throw failure("a value of type \(value.typeName) has no JSON text; pass data to tojson")
        }
    }

    private static func jsonText(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return PythonFloat.representation(of: value)
    }

    private func newline(_ format: JSONFormat, level: Int) -> String {
        format.indentation.map { "\n" + String(repeating: $0, count: level) } ?? ""
    }

    private mutating func appendJSON(
        of elements: [TemplateValue], _ format: JSONFormat, level: Int, to result: inout String
    ) throws(TemplateError) {
        guard !elements.isEmpty else {
            result += "[]"
            return
        }
        let newline = newline(format, level: level + 1)
        result += "["
        for (index, element) in elements.enumerated() {
            if index > 0 { result += format.itemSeparator }
            try spend(byteCount: newline.utf8.count)
            result += newline
            try appendJSON(of: element, format, level: level + 1, to: &result)
        }
        result += self.newline(format, level: level) + "]"
    }

    private mutating func appendJSON(
        of mapping: TemplateMapping, _ format: JSONFormat, level: Int, to result: inout String
    ) throws(TemplateError) {
        guard !mapping.entries.isEmpty else {
            result += "{}"
            return
        }
        var entries = mapping.entries.map { (key: $0.key.value, value: $0.value) }
        if format.sortsKeys { entries = try sorted(entries) }
        let newline = newline(format, level: level + 1)
        result += "{"
        for (index, entry) in entries.enumerated() {
            if index > 0 { result += format.itemSeparator }
            try spend(byteCount: newline.utf8.count)
            result += newline
            try appendJSON(of: try keyText(entry.key), format, to: &result)
            result += format.keySeparator
            try appendJSON(of: entry.value, format, level: level + 1, to: &result)
        }
        result += self.newline(format, level: level) + "}"
    }

    private func keyText(_ key: TemplateValue) throws(TemplateError) -> String {
        switch key {
        case .string(let text): return text
        case .null: return "null"
        case .boolean(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .float(let value): return Self.jsonText(of: value)
        default: throw failure("a value of type \(key.typeName) cannot be a key in JSON; use a string")
        }
    }

    private mutating func appendJSON(
        of text: String, _ format: JSONFormat, to result: inout String
    ) throws(TemplateError) {
        try spend(byteCount: text.utf8.count)
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            default:
                if scalar.value < 0x20 || format.escapesNonASCII && scalar.value >= 0x7F {
                    for unit in String(scalar).utf16 {
                        result += "\\u" + PythonText.padded(String(unit, radix: 16), to: 4, with: "0")
                    }
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        result += "\""
    }
}
