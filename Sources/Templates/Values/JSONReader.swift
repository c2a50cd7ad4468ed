extension TemplateValue {
    /// Reads JSON text (RFC 8259), keeping the order of keys and telling integers from floats.
    ///
    /// Of a repeated key the last value counts, at the first one's place, as in Python. Nothing is accepted beyond the
    /// standard: no comments, trailing commas, `NaN`, or halves of surrogate pairs.
    ///
    /// - Parameters:
    ///   - maximumByteCount: longer text is refused unread.
    ///   - maximumDepth: levels of arrays and objects inside each other.
    /// - Throws: `TemplateError.json` with the place of the first mistake.
    public init(json bytes: [UInt8], maximumByteCount: Int = 64 << 20, maximumDepth: Int = 90) throws(TemplateError) {
        guard bytes.count <= maximumByteCount else {
            throw .json(
                offset: maximumByteCount, problem: "\(bytes.count) bytes exceed the limit of \(maximumByteCount)")
        }
        var reader = JSONReader(bytes: bytes, maximumDepth: maximumDepth)
        self = try reader.readDocument()
    }

    /// As `init(json:)` for bytes.
    public init(json text: String, maximumByteCount: Int = 64 << 20, maximumDepth: Int = 90) throws(TemplateError) {
        try self.init(json: Array(text.utf8), maximumByteCount: maximumByteCount, maximumDepth: maximumDepth)
    }
}

/// Reads one JSON document.
struct JSONReader {
    let bytes: [UInt8]
    let maximumDepth: Int
    private var position = 0
    private var depth = 0

    /// As many digits as Python converts by default.
    private static let maximumDigitCount = 4300

    init(bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    mutating func readDocument() throws(TemplateError) -> TemplateValue {
        let value = try readValue()
        skipWhitespace()
        guard position == bytes.count else { throw failure("text goes on after the end of the document") }
        return value
    }

    private func failure(_ problem: String) -> TemplateError {
        .json(offset: position, problem: problem)
    }

    private var current: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let byte = current, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func readValue() throws(TemplateError) -> TemplateValue {
        skipWhitespace()
        guard let byte = current else { throw failure("the text ends where a value should be") }
        switch Unicode.Scalar(byte) {
        case "{": return try readObject()
        case "[": return try readArray()
        case "\"": return .string(try readString())
        case "-", "0"..."9": return try readNumber()
        case "t": return try readWord("true", .boolean(true))
        case "f": return try readWord("false", .boolean(false))
        case "n": return try readWord("null", .null)
        default: throw failure("expected a value; quote strings with \"")
        }
    }

    private mutating func readWord(_ word: String, _ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        let end = position + word.utf8.count
        guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else {
            throw failure("expected \(word)")
        }
        position = end
        return value
    }

    private mutating func enter() throws(TemplateError) {
        depth += 1
        guard depth <= maximumDepth else {
            throw failure("arrays and objects are nested more than \(maximumDepth) deep; flatten the document")
        }
        position += 1
        skipWhitespace()
    }

    private mutating func readArray() throws(TemplateError) -> TemplateValue {
        try enter()
        defer { depth -= 1 }
        var elements: [TemplateValue] = []
        if skip("]") { return .list([]) }
        while true {
            elements.append(try readValue())
            skipWhitespace()
            if skip("]") { return .list(TemplateList(elements)) }
            guard skip(",") else { throw failure("expected , or ] after an element") }
        }
    }

    private mutating func readObject() throws(TemplateError) -> TemplateValue {
        try enter()
        defer { depth -= 1 }
        var mapping = TemplateMapping()
        if skip("}") { return .mapping(mapping) }
        while true {
            skipWhitespace()
            guard current == 0x22 else { throw failure("expected a key in double quotes") }
            let key = try readString()
            skipWhitespace()
            guard skip(":") else { throw failure("expected : after a key") }
            mapping[key] = try readValue()
            skipWhitespace()
            if skip("}") { return .mapping(mapping) }
            guard skip(",") else { throw failure("expected , or } after a member") }
        }
    }

    private mutating func skipDigits() -> Int {
        let start = position
        while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
        return position - start
    }

    private mutating func readNumber() throws(TemplateError) -> TemplateValue {
        let start = position
        _ = skip("-")
        let startsWithZero = current == 0x30
        let digitCount = skipDigits()
        guard digitCount > 0, digitCount == 1 || !startsWithZero else {
            throw failure("expected digits without a leading zero")
        }
        var isFloat = false
        if skip(".") {
            isFloat = true
            guard skipDigits() > 0 else { throw failure("expected digits after the decimal point") }
        }
        if skip("e") || skip("E") {
            isFloat = true
            if !skip("+") { _ = skip("-") }
            guard skipDigits() > 0 else { throw failure("expected digits in the exponent") }
        }
        guard position - start <= Self.maximumDigitCount else {
            throw failure("a number has more than \(Self.maximumDigitCount) digits; send it as a string")
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isFloat {
            guard let value = Double(text) else { throw failure("\(text) is not a number") }
            return .float(value)
        }
        return Int(text).map { .integer($0) } ?? .largeInteger(text)
    }

    private mutating func readString() throws(TemplateError) -> String {
        position += 1
        var text: [UInt8] = []
        while true {
            let start = position
            while let byte = current, byte != 0x22, byte != 0x5C, byte >= 0x20 { position += 1 }
            text.append(contentsOf: bytes[start..<position])
            guard let byte = current else { throw failure("a string has no closing quote") }
            guard byte >= 0x20 else { throw failure("a control character in a string; write it as an escape") }
            position += 1
            if byte == 0x22 { break }
            try readEscape(into: &text)
        }
        guard let string = String(validating: text, as: UTF8.self) else {
            throw failure("a string is not valid UTF-8")
        }
        return string
    }

    private mutating func readEscape(into text: inout [UInt8]) throws(TemplateError) {
        guard let byte = current else { throw failure("a string ends within an escape") }
        position += 1
        switch Unicode.Scalar(byte) {
        case "\"", "\\", "/": text.append(byte)
        case "b": text.append(0x08)
        case "f": text.append(0x0C)
        case "n": text.append(0x0A)
        case "r": text.append(0x0D)
        case "t": text.append(0x09)
        case "u":
            var code = try readHexadecimal()
            let afterFirst = position
            if (0xD800..<0xDC00).contains(code), skip("\\"), skip("u") {
                let low = try readHexadecimal()
                if (0xDC00..<0xE000).contains(low) { code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00) }
            }
            // No text can hold half of a pair; what follows it stands for itself.
            if (0xD800..<0xDC00).contains(code) { position = afterFirst }
            text.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default: throw failure("an unknown escape in a string")
        }
    }

    private mutating func readHexadecimal() throws(TemplateError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("expected four hexadecimal digits after \\u")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}
