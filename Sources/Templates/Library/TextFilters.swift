/// Filters on text. As in Jinja2 they take any value and work on what it prints as.
enum TextFilters {
    static let table: [String: Filter] = [
        "upper": mapped { $0.uppercased() }, "lower": mapped { $0.lowercased() },
        "capitalize": mapped(PythonText.capitalized), "title": mapped(titled),
        "escape": mapped(escaped), "e": mapped(escaped), "forceescape": mapped(escaped),
        "string": mapped { $0 }, "safe": mapped { $0 },
        "trim": trim, "replace": replace, "indent": indent, "wordcount": countWords, "truncate": truncate,
        "center": centre, "format": format, "tojson": toJSON,
    ]

    private static func mapped(_ transform: @escaping @Sendable (String) -> String) -> Filter {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "a text filter", in: renderer)
            return try renderer.string(transform(try renderer.text(of: value)))
        }
    }

    /// Capitals after spaces, hyphens and opening brackets.
    @Sendable private static func titled(_ text: String) -> String {
        var result = ""
        var startsWord = true
        for scalar in text.unicodeScalars {
            let separates = scalar.isPythonWhitespace || "-({[<".unicodeScalars.contains(scalar)
            result += startsWord && !separates ? scalar.properties.uppercaseMapping : scalar.properties.lowercaseMapping
            startsWord = separates
        }
        return result
    }

    @Sendable private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "'": result += "&#39;"
            case "\"": result += "&#34;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    @Sendable private static func trim(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["chars"], of: "trim", in: renderer)
        let characters = try renderer.optionalText(given[0], "the characters to trim")
        return try renderer.string(PythonText.stripped(try renderer.text(of: value), .both, of: characters))
    }

    @Sendable private static func replace(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["old", "new", "count"], of: "replace", in: renderer)
        let limit = try renderer.integer(given[2], "the number of replacements", fallback: -1)
        return try renderer.replaced(
            try renderer.text(of: value), try renderer.text(of: try renderer.required(given[0], "the text to replace")),
            by: try renderer.text(of: try renderer.required(given[1], "the replacement")),
            limit: limit < 0 ? .max : limit)
    }

    @Sendable private static func indent(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["width", "first", "blank"], of: "indent", in: renderer)
        let indentation = try indentation(given[0] ?? 4, renderer)
        let indentsFirst = given[1]?.isTrue ?? false
        let indentsBlank = given[2]?.isTrue ?? false
        let lines = PythonText.lines(try renderer.text(of: value) + "\n")
        var parts: [String] = []
        for (index, line) in lines.enumerated() {
            let isIndented = index == 0 ? indentsFirst : indentsBlank || !line.isEmpty
            try renderer.spend(byteCount: indentation.utf8.count + line.utf8.count)
            parts.append(isIndented ? indentation + line : line)
        }
        return try renderer.joined(parts, by: "\n")
    }

    /// What an indentation argument means: so many spaces, or a text.
    private static func indentation(_ value: TemplateValue, _ renderer: Renderer) throws(TemplateError) -> String {
        let longest = 100
        if case .string(let text) = value, text.utf8.count <= longest { return text }
        let width = try renderer.integer(value, "the indentation", fallback: 0)
        guard width <= longest else {
            throw renderer.limitFailure("an indentation has more than \(longest) characters; use fewer")
        }
        return String(repeating: " ", count: max(0, width))
    }

    @Sendable private static func countWords(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "wordcount", in: renderer)
        let text = try renderer.text(of: value)
        try renderer.spend(byteCount: text.utf8.count)
        var count = 0
        var isInWord = false
        for scalar in text.unicodeScalars {
            let isWord = scalar == "_" || scalar.isLetter || scalar.properties.numericType != nil
            if isWord, !isInWord { count += 1 }
            isInWord = isWord
        }
        return .integer(count)
    }

    @Sendable private static func truncate(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["length", "killwords", "end", "leeway"], of: "truncate", in: renderer)
        let length = try renderer.integer(given[0], "the length", fallback: 255)
        let end = try renderer.optionalText(given[2], "the end") ?? "..."
        let leeway = try renderer.integer(given[3], "the leeway", fallback: 5)
        let text = try renderer.text(of: value)
        try renderer.spend(byteCount: text.utf8.count)
        let scalars = Array(text.unicodeScalars)
        let keptCount = length.subtractingReportingOverflow(end.unicodeScalars.count)
        guard !keptCount.overflow, keptCount.partialValue >= 0, leeway >= 0 else {
            throw renderer.failure("truncate to less than its end text or with a negative leeway; use larger numbers")
        }
        if scalars.count - length <= leeway { return .string(text) }
        var kept = String(scalars.prefix(keptCount.partialValue))
        if !(given[1]?.isTrue ?? false) {
            kept = PythonText.split(kept, at: " ", limit: 1, fromRight: true)[0]
        }
        return try renderer.string(kept + end)
    }

    @Sendable private static func centre(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["width"], of: "center", in: renderer)
        let width = try renderer.integer(given[0], "the width", fallback: 80)
        return try renderer.padded(try renderer.text(of: value), to: width, with: " ", .centre)
    }

    @Sendable private static func format(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        var values = TemplateValue.tuple(TemplateList(arguments.positional))
        if !arguments.keywords.isEmpty {
            guard arguments.positional.isEmpty else {
                throw renderer.failure("format takes values by place or by name, not both")
            }
            var mapping = TemplateMapping()
            for (name, value) in arguments.keywords { mapping[name] = value }
            values = .mapping(mapping)
        }
        return .string(try renderer.percentFormatted(try renderer.text(of: value), values))
    }

    /// `tojson` as the `transformers` library redefines it: `json.dumps` without escaping of non-ASCII or HTML.
    @Sendable private static func toJSON(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(
            ["ensure_ascii", "indent", "separators", "sort_keys"], of: "tojson", in: renderer)
        var format = JSONFormat()
        format.escapesNonASCII = given[0]?.isTrue ?? false
        format.sortsKeys = given[3]?.isTrue ?? false
        if let indent = given[1], !indent.isNull {
            format.indentation = try indentation(indent, renderer)
            format.itemSeparator = ","
        }
        if let separators = given[2], !separators.isNull {
            let parts = try renderer.elements(of: separators)
            guard parts.count == 2 else { throw renderer.failure("separators of tojson are not two; give (item, key)") }
            format.itemSeparator = try renderer.text(parts[0], "the item separator")
            format.keySeparator = try renderer.text(parts[1], "the key separator")
        }
        return try renderer.string(try renderer.jsonText(of: value, format))
    }
}

extension TemplateValue {
    var isNull: Bool {
        if case .null = self { true } else { false }
    }
}
