extension Lexer {
    private static let twoCharacterSymbols: Set<String> = ["//", "**", "==", "!=", ">=", "<="]
    private static let symbols: Set<Unicode.Scalar> = [
        "+", "-", "*", "/", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
    ]

    /// Reads the token at the current position, which is neither whitespace nor the end of the source.
    mutating func readExpressionToken() throws(TemplateError) -> Token.Kind {
        let first = source[position]
        if first.isASCIIDigit { return try readNumber() }
        if first.isNamePart { return readName() }
        if first == "'" || first == "\"" { return try readString() }
        if let second = scalar(at: position + 1) {
            let pair = String([first, second])
            if Self.twoCharacterSymbols.contains(pair) {
                advance(to: position + 2)
                return .symbol(pair)
            }
        }
        guard Self.symbols.contains(first) else {
            throw .syntax(line: line, problem: "unexpected character \(first.debugDescription) in a tag; remove it")
        }
        advance(to: position + 1)
        return .symbol(String(first))
    }

    private mutating func readName() -> Token.Kind {
        var end = position
        while let scalar = scalar(at: end), scalar.isNamePart { end += 1 }
        let name = String(source[position..<end])
        advance(to: end)
        return .name(name)
    }

    /// Digits with single underscores between them, from `start`; where they end.
    private func endOfDigits(from start: Int, _ isDigit: (Unicode.Scalar) -> Bool) -> Int {
        var end = start
        while let scalar = scalar(at: end) {
            if isDigit(scalar) {
                end += 1
            } else if scalar == "_", end > start, let next = self.scalar(at: end + 1), isDigit(next) {
                end += 1
            } else {
                break
            }
        }
        return end
    }

    private mutating func readNumber() throws(TemplateError) -> Token.Kind {
        let start = position
        if source[start] == "0", let mark = scalar(at: start + 1),
            let radix = [("x" as Unicode.Scalar): 16, "X": 16, "o": 8, "O": 8, "b": 2, "B": 2][mark]
        {
            let end = endOfDigits(from: start + 2) { Character($0).hexDigitValue.map { $0 < radix } ?? false }
            if end > start + 2 { return try takeInteger(start + 2..<end, radix: radix) }
        }
        let isDigit = { (scalar: Unicode.Scalar) in scalar.isASCIIDigit }
        let integerEnd = endOfDigits(from: start, isDigit)
        var end = integerEnd
        // In `pair.0.1` the digits are two indices, not a float.
        if start > 0, source[start - 1] == "." { return try takeInteger(start..<end, radix: 10) }
        if scalar(at: end) == ".", let next = scalar(at: end + 1), next.isASCIIDigit {
            end = endOfDigits(from: end + 1, isDigit)
        }
        if let mark = scalar(at: end), mark == "e" || mark == "E" {
            let sign = scalar(at: end + 1)
            let digits = sign == "+" || sign == "-" ? end + 2 : end + 1
            if let digit = scalar(at: digits), digit.isASCIIDigit { end = endOfDigits(from: digits, isDigit) }
        }
        if end == integerEnd { return try takeInteger(start..<end, radix: 10) }
        let text = String(source[start..<end].filter { $0 != "_" })
        guard let value = Double(text) else {
            throw .syntax(line: line, problem: "\(text) is not a number; write it in digits")
        }
        advance(to: end)
        return .float(value)
    }

    private mutating func takeInteger(_ range: Range<Int>, radix: Int) throws(TemplateError) -> Token.Kind {
        let text = String(source[range].filter { $0 != "_" })
        guard let value = Int(text, radix: radix) else {
            throw .syntax(line: line, problem: "the integer \(text.prefix(40)) does not fit 64 bits; use a smaller one")
        }
        advance(to: range.upperBound)
        return .integer(value)
    }

    private mutating func readString() throws(TemplateError) -> Token.Kind {
        let quote = source[position]
        var end = position + 1
        while let scalar = scalar(at: end), scalar != quote { end += scalar == "\\" ? 2 : 1 }
        guard end < source.count else {
            throw .syntax(line: line, problem: "a string is not closed; end it with \(quote)")
        }
        let text = try unescaped(source[position + 1..<end])
        advance(to: end + 1)
        return .string(text)
    }

    /// A string literal's contents with Python's escapes replaced; unknown ones stay as they are.
    private func unescaped(_ text: ArraySlice<Unicode.Scalar>) throws(TemplateError) -> String {
        var result = String.UnicodeScalarView()
        var index = text.startIndex
        while index < text.endIndex {
            let scalar = text[index]
            index += 1
            guard scalar == "\\", index < text.endIndex else {
                result.append(scalar)
                continue
            }
            let escape = text[index]
            index += 1
            switch escape {
            case "n": result.append("\n")
            case "t": result.append("\t")
            case "r": result.append("\r")
            case "a": result.append("\u{07}")
            case "b": result.append("\u{08}")
            case "f": result.append("\u{0C}")
            case "v": result.append("\u{0B}")
            case "\\", "'", "\"": result.append(escape)
            case "\n": break
            case "0"..."7":
                var digits = [escape]
                while digits.count < 3, index < text.endIndex, ("0"..."7").contains(text[index]) {
                    digits.append(text[index])
                    index += 1
                }
                result.append(Unicode.Scalar(UInt32(String(digits), radix: 8) ?? 0) ?? "\u{FFFD}")
            case "x", "u", "U":
                let length = escape == "x" ? 2 : escape == "u" ? 4 : 8
                let digits = String(text[index...].prefix(length))
                guard digits.unicodeScalars.count == length, let code = UInt32(digits, radix: 16),
                    let decoded = Unicode.Scalar(code)
                else {
                    throw .syntax(
                        line: line,
                        problem: "\\\(escape)\(digits) is no character; write \(length) hexadecimal digits after it")
                }
                result.append(decoded)
                index += length
            default:
                result.append("\\")
                result.append(escape)
            }
        }
        return String(result)
    }
}

extension Unicode.Scalar {
    var isASCIIDigit: Bool {
        ("0"..."9").contains(self)
    }

    /// Whether the character may be part of a name.
    var isNamePart: Bool {
        if isASCII {
            self == "_" || ("a"..."z").contains(self) || ("A"..."Z").contains(self) || isASCIIDigit
        } else {
            properties.isXIDContinue
        }
    }

    /// Whether Python's `str.isspace` holds.
    var isPythonWhitespace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000:
            true
        default: false
        }
    }
}
