/// A strict JSON reader (RFC 8259) with bounds on depth and on the number of values.
///
/// Foundation's reader loses the order of keys, which chat templates show to the model.
struct JSONParser {
    let bytes: [UInt8]
    private let limits: JSONLimits
    var position = 0
    private var valueCount = 0

    init(bytes: [UInt8], limits: JSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    mutating func parseDocument() throws(JSONSyntaxError) -> JSONNode {
        guard bytes.count <= UInt32.max else { throw failure("the text is longer than 4 GiB", at: 0) }
        skipWhitespace()
        let root = try parseValue(depth: 0)
        skipWhitespace()
        if position < bytes.count { throw failure("text after the end of the value") }
        return root
    }

    private mutating func parseValue(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        if depth > limits.maximumDepth { throw failure("more than \(limits.maximumDepth) nested values") }
        valueCount += 1
        if valueCount > limits.maximumValueCount { throw failure("more than \(limits.maximumValueCount) values") }
        let start = position
        guard let byte = peek() else { throw failure("the text ends where a value should be") }
        let value: JSONValue
        switch byte {
        case UInt8(ascii: "{"): value = .object(try parseObject(depth: depth))
        case UInt8(ascii: "["): value = .array(try parseArray(depth: depth))
        case UInt8(ascii: "\""): value = .string(try parseString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): value = try parseNumber()
        case UInt8(ascii: "t"): value = try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): value = try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): value = try parseWord("null", .null)
        default: throw failure("no value begins with \(describe(byte))")
        }
        return JSONNode(value: value, start: UInt32(start), end: UInt32(position))
    }

    private mutating func parseObject(depth: Int) throws(JSONSyntaxError) -> [JSONMember] {
        position += 1
        skipWhitespace()
        var members: [JSONMember] = []
        if take(UInt8(ascii: "}")) { return members }
        while true {
            guard peek() == UInt8(ascii: "\"") else { throw failure("a key in double quotes should stand here") }
            let key = try parseString()
            skipWhitespace()
            guard take(UInt8(ascii: ":")) else { throw failure("a colon should follow the key") }
            skipWhitespace()
            members.append(JSONMember(key: key, node: try parseValue(depth: depth + 1)))
            skipWhitespace()
            if take(UInt8(ascii: "}")) { return members }
            guard take(UInt8(ascii: ",")) else { throw failure("a comma or } should stand here") }
            skipWhitespace()
        }
    }

    private mutating func parseArray(depth: Int) throws(JSONSyntaxError) -> [JSONNode] {
        position += 1
        skipWhitespace()
        var elements: [JSONNode] = []
        if take(UInt8(ascii: "]")) { return elements }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            skipWhitespace()
            if take(UInt8(ascii: "]")) { return elements }
            guard take(UInt8(ascii: ",")) else { throw failure("a comma or ] should stand here") }
            skipWhitespace()
        }
    }

    private mutating func parseNumber() throws(JSONSyntaxError) -> JSONValue {
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        let firstDigit = position
        guard skipDigits() else { throw failure("a digit should stand here") }
        if position - firstDigit > 1, bytes[firstDigit] == UInt8(ascii: "0") {
            throw failure("a number has no leading zeros", at: firstDigit)
        }
        let endOfInteger = position
        if take(UInt8(ascii: ".")), !skipDigits() { throw failure("a digit should follow the decimal point") }
        if let byte = peek(), byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            position += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard skipDigits() else { throw failure("a digit should follow the exponent sign") }
        }
        // Up to 18 digits always fit; token arrays take this path.
        if position == endOfInteger, endOfInteger - firstDigit <= 18 {
            var magnitude: Int64 = 0
            for byte in bytes[firstDigit..<endOfInteger] {
                magnitude = magnitude * 10 + Int64(byte - UInt8(ascii: "0"))
            }
            return .integer(isNegative ? -magnitude : magnitude)
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if position == endOfInteger, let integer = Int64(text) { return .integer(integer) }
        return .number(Double(text) ?? (isNegative ? -.infinity : .infinity))
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        let expected = Array(word.description.utf8)
        guard bytes[position...].starts(with: expected) else { throw failure("no value begins like this") }
        position += expected.count
        return value
    }

    private mutating func skipDigits() -> Bool {
        let start = position
        while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        return position > start
    }

    private mutating func skipWhitespace() {
        while let byte = peek(), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek() == byte else { return false }
        position += 1
        return true
    }

    func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    func failure(_ problem: String, at offset: Int? = nil) -> JSONSyntaxError {
        let offset = offset ?? position
        let before = bytes[..<min(offset, bytes.count)]
        let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONSyntaxError(line: line, column: offset - lineStart + 1, byteOffset: offset, problem: problem)
    }

    func describe(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte)
            ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(String(byte, radix: 16, uppercase: true))"
    }
}
