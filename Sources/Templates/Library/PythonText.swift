/// Python's string operations, on code points.
enum PythonText {
    /// The string as Python's `repr` writes it.
    static func quoted(_ text: String) -> String {
        let quote: Unicode.Scalar =
            text.unicodeScalars.contains("'") && !text.unicodeScalars.contains("\"") ? "\"" : "'"
        var result = String.UnicodeScalarView()
        result.append(quote)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\r": result.append(contentsOf: "\\r".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case "\\", quote:
                result.append("\\")
                result.append(scalar)
            default:
                if isPrintable(scalar) {
                    result.append(scalar)
                } else {
                    result.append(contentsOf: escaped(scalar).unicodeScalars)
                }
            }
        }
        result.append(quote)
        return String(result)
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return (0x20..<0x7F).contains(scalar.value) }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    private static func escaped(_ scalar: Unicode.Scalar) -> String {
        let value = scalar.value
        let (mark, width) = value < 0x100 ? ("\\x", 2) : value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
        return mark + padded(String(value, radix: 16), to: width, with: "0")
    }

    /// The text with `fill` before it up to `width` characters.
    static func padded(_ text: String, to width: Int, with fill: Character) -> String {
        String(repeating: fill, count: max(0, width - text.unicodeScalars.count)) + text
    }

    enum Side {
        case left, right, both
    }

    /// The text without the characters of `set`, or without whitespace, at its ends.
    static func stripped(_ text: String, _ side: Side, of set: String?) -> String {
        let characters = set.map { Set($0.unicodeScalars) }
        func isStripped(_ scalar: Unicode.Scalar) -> Bool {
            characters?.contains(scalar) ?? scalar.isPythonWhitespace
        }
        var scalars = Substring(text).unicodeScalars
        if side != .right { scalars = scalars.drop(while: isStripped) }
        if side != .left {
            while let last = scalars.last, isStripped(last) { scalars.removeLast() }
        }
        return String(Substring(scalars))
    }

    /// `str.split` and `str.rsplit` at a separator that is not empty; at most `limit` cuts, counted from the side named.
    static func split(_ text: String, at separator: String, limit: Int, fromRight: Bool) -> [String] {
        var bytes = Array(text.utf8)
        var pattern = Array(separator.utf8)
        if fromRight {
            // From the right is from the left in reverse, which matters where separators overlap.
            bytes.reverse()
            pattern.reverse()
        }
        var parts: [[UInt8]] = []
        var start = 0
        for place in ByteSearch(pattern).all(in: bytes, limit: limit) {
            parts.append(Array(bytes[start..<place]))
            start = place + pattern.count
        }
        parts.append(Array(bytes[start...]))
        if fromRight { parts = parts.reversed().map { $0.reversed() } }
        return parts.map { String(decoding: $0, as: UTF8.self) }
    }

    /// `str.split()` and `str.rsplit()` at runs of whitespace.
    static func splitAtWhitespace(_ text: String, limit: Int, fromRight: Bool) -> [String] {
        var scalars = Array(text.unicodeScalars)
        if fromRight { scalars.reverse() }
        var parts: [[Unicode.Scalar]] = []
        var index = 0
        while true {
            while index < scalars.count, scalars[index].isPythonWhitespace { index += 1 }
            guard index < scalars.count else { break }
            let start = index
            if parts.count == limit {
                // The remainder keeps the whitespace inside it and at its far end.
                parts.append(Array(scalars[start...]))
                break
            }
            while index < scalars.count, !scalars[index].isPythonWhitespace { index += 1 }
            parts.append(Array(scalars[start..<index]))
        }
        if fromRight { parts = parts.reversed().map { $0.reversed() } }
        return parts.map { String($0) }
    }

    /// `str.splitlines`.
    static func lines(_ text: String, keepsEnds: Bool = false) -> [String] {
        var lines: [String] = []
        var line = String.UnicodeScalarView()
        var scalars = Array(text.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            switch scalar.value {
            case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029:
                if keepsEnds { line.append(scalar) }
                if scalar == "\r", scalars.first == "\n", let newline = scalars.popFirst(), keepsEnds {
                    line.append(newline)
                }
                lines.append(String(line))
                line = String.UnicodeScalarView()
            default: line.append(scalar)
            }
        }
        if !line.isEmpty { lines.append(String(line)) }
        return lines
    }

    /// The text with occurrences of `old` replaced, at most `limit`.
    static func replaced(_ text: String, _ old: String, by new: String, limit: Int) -> String {
        let bytes = Array(text.utf8)
        let replacement = Array(new.utf8)
        let places =
            old.isEmpty
            ? Array(bytes.indices.filter { bytes[$0] & 0xC0 != 0x80 } + [bytes.count]).prefix(limit)
            : ByteSearch(old).all(in: bytes, limit: limit)[...]
        var result: [UInt8] = []
        var start = 0
        for place in places {
            result += bytes[start..<place]
            result += replacement
            start = place + old.utf8.count
        }
        result += bytes[start...]
        return String(decoding: result, as: UTF8.self)
    }

    static func hasPrefix(_ text: String, _ prefix: String) -> Bool {
        text.utf8.starts(with: prefix.utf8)
    }

    static func hasSuffix(_ text: String, _ suffix: String) -> Bool {
        text.utf8.reversed().starts(with: suffix.utf8.reversed())
    }

    static func capitalized(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return "" }
        return first.properties.titlecaseMapping + String(Substring(text.unicodeScalars.dropFirst())).lowercased()
    }

    /// `str.title`: a capital after every character that has no case.
    static func titled(_ text: String) -> String {
        var result = ""
        var continuesWord = false
        for scalar in text.unicodeScalars {
            result += continuesWord ? scalar.properties.lowercaseMapping : scalar.properties.titlecaseMapping
            continuesWord = scalar.properties.isCased
        }
        return result
    }

    static func swappedCase(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            result +=
                scalar.properties.isUppercase ? scalar.properties.lowercaseMapping : scalar.properties.uppercaseMapping
        }
    }
}
