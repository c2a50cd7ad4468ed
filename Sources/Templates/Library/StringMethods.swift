/// Python's string methods.
enum StringMethods {
    static let table: [String: Method] = [
        "strip": strip(.both), "lstrip": strip(.left), "rstrip": strip(.right),
        "split": split(fromRight: false), "rsplit": split(fromRight: true),
        "partition": partition(fromRight: false), "rpartition": partition(fromRight: true),
        "splitlines": lines, "join": join, "replace": replace, "format": format,
        "startswith": isAt(start: true), "endswith": isAt(start: false),
        "removeprefix": remove(prefix: true), "removesuffix": remove(prefix: false),
        "find": find("find", fromRight: false, mustFind: false),
        "rfind": find("rfind", fromRight: true, mustFind: false),
        "index": find("index", fromRight: false, mustFind: true),
        "rindex": find("rindex", fromRight: true, mustFind: true),
        "count": count,
        "upper": mapped { $0.uppercased() }, "lower": mapped { $0.lowercased() },
        "casefold": mapped { $0.lowercased() },
        "title": mapped(PythonText.titled), "capitalize": mapped(PythonText.capitalized),
        "swapcase": mapped(PythonText.swappedCase),
        "center": justify(.centre), "ljust": justify(.left), "rjust": justify(.right), "zfill": zeroFill,
        "isdigit": holds { $0.properties.numericType == .decimal || $0.properties.numericType == .digit },
        "isdecimal": holds { $0.properties.numericType == .decimal },
        "isnumeric": holds { $0.properties.numericType != nil },
        "isalpha": holds(\.isLetter),
        "isalnum": holds { $0.isLetter || $0.properties.numericType != nil },
        "isspace": holds(\.isPythonWhitespace),
        "isascii": test { text in text.utf8.allSatisfy { $0 < 0x80 } },
        "isupper": test { hasCase($0, \.isUppercase) }, "islower": test { hasCase($0, \.isLowercase) },
    ]

    private static func mapped(_ transform: @escaping @Sendable (String) -> String) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "a method that changes case", in: renderer)
            return try renderer.string(transform(try renderer.text(of: value)))
        }
    }

    private static func test(_ predicate: @escaping @Sendable (String) -> Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let text = try renderer.text(of: value)
            try renderer.spend(byteCount: text.utf8.count)
            _ = try arguments.bind([], of: "a method that tests characters", in: renderer)
            return .boolean(predicate(text))
        }
    }

    private static func holds(_ predicate: @escaping @Sendable (Unicode.Scalar) -> Bool) -> Method {
        test { !$0.isEmpty && $0.unicodeScalars.allSatisfy(predicate) }
    }

    /// Whether all characters that have a case have this one, and there is one.
    static func hasCase(_ text: String, _ isOfCase: (Unicode.Scalar.Properties) -> Bool) -> Bool {
        let cased = text.unicodeScalars.filter(\.properties.isCased)
        return !cased.isEmpty && cased.allSatisfy { isOfCase($0.properties) }
    }

    private static func strip(_ side: PythonText.Side) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["chars"], of: "strip", in: renderer)
            let characters = try renderer.optionalText(given[0], "the characters to strip")
            return try renderer.string(PythonText.stripped(try renderer.text(of: value), side, of: characters))
        }
    }

    /// Python's limit on cuts and replacements: negative means none.
    private static func limit(
        _ value: TemplateValue?, _ renderer: Renderer
    ) throws(TemplateError) -> Int {
        let limit = try renderer.integer(value, "a maximum", fallback: -1)
        return limit < 0 ? .max : limit
    }

    private static func split(fromRight: Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["sep", "maxsplit"], of: "split", in: renderer)
            let text = try renderer.text(of: value)
            let limit = try limit(given[1], renderer)
            try renderer.spend(byteCount: text.utf8.count)
            let parts: [String]
            if let separator = try renderer.optionalText(given[0], "the separator") {
                guard !separator.isEmpty else {
                    throw renderer.failure("split at an empty separator; give one or none")
                }
                parts = PythonText.split(text, at: separator, limit: limit, fromRight: fromRight)
            } else {
                parts = PythonText.splitAtWhitespace(text, limit: limit, fromRight: fromRight)
            }
            try renderer.spend(parts.count)
            return .list(TemplateList(parts.map { .string($0) }))
        }
    }

    private static func partition(fromRight: Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["sep"], of: "partition", in: renderer)
            let separator = try renderer.text(given[0], "the separator")
            let text = try renderer.text(of: value)
            try renderer.spend(byteCount: text.utf8.count)
            guard !separator.isEmpty else { throw renderer.failure("partition at an empty separator; give one") }
            let parts = PythonText.split(text, at: separator, limit: 1, fromRight: fromRight)
            if parts.count == 2 { return .tuple([.string(parts[0]), .string(separator), .string(parts[1])]) }
            return fromRight ? .tuple(["", "", value]) : .tuple([value, "", ""])
        }
    }

    @Sendable private static func lines(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["keepends"], of: "splitlines", in: renderer)
        let text = try renderer.text(of: value)
        try renderer.spend(byteCount: text.utf8.count)
        let lines = PythonText.lines(text, keepsEnds: given[0]?.isTrue ?? false)
        try renderer.spend(lines.count)
        return .list(TemplateList(lines.map { .string($0) }))
    }

    @Sendable private static func join(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["iterable"], of: "join", in: renderer)
        let elements = try renderer.elements(of: try renderer.required(given[0], "the list to join"))
        var parts: [String] = []
        for element in elements { parts.append(try renderer.text(element, "an element to join")) }
        return try renderer.joined(parts, by: try renderer.text(of: value))
    }

    @Sendable private static func replace(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["old", "new", "count"], of: "replace", in: renderer)
        return try renderer.replaced(
            try renderer.text(of: value), try renderer.text(given[0], "the text to replace"),
            by: try renderer.text(given[1], "the replacement"), limit: try limit(given[2], renderer))
    }

    @Sendable private static func format(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        try renderer.string(try renderer.formatted(try renderer.text(of: value), arguments))
    }

    /// The part of a string that the optional arguments `start` and `end` name, and where it starts, in characters.
    private static func part(
        of text: String, _ start: TemplateValue?, _ end: TemplateValue?, _ renderer: inout Renderer
    ) throws(TemplateError) -> (text: String, offset: Int)? {
        try renderer.spend(byteCount: text.utf8.count)
        if start == nil, end == nil { return (text, 0) }
        let scalars = Array(text.unicodeScalars)
        func bounded(_ bound: Int) -> Int {
            min(max(bound < 0 ? max(bound, -scalars.count) + scalars.count : bound, 0), scalars.count)
        }
        let first = try renderer.integer(start, "a start", fallback: 0)
        let last = bounded(try renderer.integer(end, "an end", fallback: scalars.count))
        guard first <= scalars.count, bounded(first) <= last else { return nil }
        return (String(scalars[bounded(first)..<last]), bounded(first))
    }

    private static func isAt(start isPrefix: Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let name = isPrefix ? "startswith" : "endswith"
            let given = try arguments.bind(["affix", "start", "end"], of: name, in: renderer)
            let wanted = try renderer.required(given[0], "the argument of \(name)")
            let part = try part(of: try renderer.text(of: value), given[1], given[2], &renderer)
            var affixes = [wanted]
            if case .tuple(let list) = wanted { affixes = list.elements }
            for affix in affixes {
                let affix = try renderer.text(affix, "the argument of \(name)")
                guard let text = part?.text else { continue }
                if isPrefix ? PythonText.hasPrefix(text, affix) : PythonText.hasSuffix(text, affix) { return true }
            }
            return false
        }
    }

    private static func remove(prefix isPrefix: Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["affix"], of: isPrefix ? "removeprefix" : "removesuffix", in: renderer)
            let affix = try renderer.text(given[0], "the text to remove")
            let text = try renderer.text(of: value)
            guard isPrefix ? PythonText.hasPrefix(text, affix) : PythonText.hasSuffix(text, affix) else { return value }
            let bytes = Array(text.utf8)
            let rest = isPrefix ? bytes.dropFirst(affix.utf8.count) : bytes.dropLast(affix.utf8.count)
            return try renderer.string(String(decoding: rest, as: UTF8.self))
        }
    }

    private static func find(_ name: String, fromRight: Bool, mustFind: Bool) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["sub", "start", "end"], of: name, in: renderer)
            let wanted = try renderer.text(given[0], "the text to find")
            if let part = try part(of: try renderer.text(of: value), given[1], given[2], &renderer) {
                var bytes = Array(part.text.utf8)
                var pattern = Array(wanted.utf8)
                if fromRight {
                    bytes.reverse()
                    pattern.reverse()
                }
                if let found = ByteSearch(pattern).first(in: bytes) {
                    let before = fromRight ? bytes.count - found - pattern.count : found
                    if fromRight { bytes.reverse() }
                    let characterCount = bytes[..<before].count(where: { byte in byte & 0xC0 != 0x80 })
                    return .integer(part.offset + characterCount)
                }
            }
            guard !mustFind else { throw renderer.failure("\(name) does not find the text; test with `in` first") }
            return -1
        }
    }

    @Sendable private static func count(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["sub", "start", "end"], of: "count", in: renderer)
        let wanted = try renderer.text(given[0], "the text to count")
        guard let part = try part(of: try renderer.text(of: value), given[1], given[2], &renderer) else { return 0 }
        if wanted.isEmpty { return .integer(part.text.unicodeScalars.count + 1) }
        return .integer(ByteSearch(wanted).all(in: Array(part.text.utf8)).count)
    }

    private static func justify(_ alignment: FormatSpecification.Alignment) -> Method {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["width", "fillchar"], of: "a method that pads", in: renderer)
            let width = try renderer.integer(given[0], "the width", fallback: 0)
            let fill = try renderer.optionalText(given[1], "the fill character") ?? " "
            guard fill.count == 1, let character = fill.first else {
                throw renderer.failure("the fill is not one character; give one")
            }
            return try renderer.padded(try renderer.text(of: value), to: width, with: character, alignment)
        }
    }

    @Sendable private static func zeroFill(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["width"], of: "zfill", in: renderer)
        let width = try renderer.integer(given[0], "the width", fallback: 0)
        let text = try renderer.text(of: value)
        let sign = text.unicodeScalars.first.map { $0 == "-" || $0 == "+" } ?? false ? String(text.prefix(1)) : ""
        let padded = try renderer.padded(
            String(text.dropFirst(sign.count)), to: max(0, width) - min(max(0, width), sign.count), with: "0", .right)
        return .string(sign + (try renderer.text(of: padded)))
    }
}

extension Unicode.Scalar {
    /// Whether Python's `str.isalpha` holds.
    var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }
}

extension Renderer {
    mutating func joined(_ parts: [String], by separator: String) throws(TemplateError) -> TemplateValue {
        var byteCount = 0
        for part in parts { byteCount += part.utf8.count + separator.utf8.count }
        try checkTextLength(byteCount)
        return .string(parts.joined(separator: separator))
    }

    mutating func replaced(
        _ text: String, _ old: String, by new: String, limit: Int
    ) throws(TemplateError) -> TemplateValue {
        try spend(byteCount: text.utf8.count)
        // Each replacement takes the place of at least one byte, or of one gap between characters.
        let count = min(limit, old.isEmpty ? text.utf8.count + 1 : text.utf8.count / old.utf8.count)
        let (growth, overflow) = max(0, new.utf8.count - old.utf8.count).multipliedReportingOverflow(by: count)
        if overflow || growth > limits.outputByteCount {
            let places = old.isEmpty ? count : ByteSearch(old).all(in: Array(text.utf8), limit: limit).count
            let exact = new.utf8.count.multipliedReportingOverflow(by: places)
            try checkTextLength(exact.overflow ? .max : exact.partialValue)
        }
        return try string(PythonText.replaced(text, old, by: new, limit: limit))
    }

    /// Text with `fill` on the sides that the alignment leaves free, up to `width` characters.
    mutating func padded(
        _ text: String, to width: Int, with fill: Character, _ alignment: FormatSpecification.Alignment
    ) throws(TemplateError) -> TemplateValue {
        let count = text.unicodeScalars.count
        guard width > count else { return .string(text) }
        let missing = width - count
        let (byteCount, overflow) = missing.multipliedReportingOverflow(by: fill.utf8.count)
        try checkTextLength(overflow ? .max : max(byteCount, text.utf8.count))
        let left =
            switch alignment {
            case .left: 0
            case .right, .afterSign: missing
            // Python puts the odd one on the left if the width is odd.
            case .centre: missing / 2 + (missing & width & 1)
            }
        return .string(
            String(repeating: fill, count: left) + text + String(repeating: fill, count: missing - left))
    }
}
