/// A parsed JSON text that remembers where in the text each value stands, so that parts of it can be handed on exactly
/// as they came, with their keys in order.
struct JSONDocument: Sendable {
    let bytes: [UInt8]
    let root: JSONNode

    /// - Throws: ``JSONSyntaxError`` if `bytes` are not one JSON value in UTF-8 within the parser's limits.
    init(parsing bytes: [UInt8]) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: bytes)
        self.root = try parser.parseDocument()
        self.bytes = bytes
    }

    /// The text of `node` as the client wrote it.
    func text(of node: JSONNode) -> String {
        String(decoding: bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }
}

/// One value of a document.
struct JSONNode: Sendable {
    var value: JSONValue
    /// Byte offsets in the document of the first byte and of the one after the last.
    var start: UInt32
    var end: UInt32
}

enum JSONValue: Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits 64 bits.
    case integer(Int64)
    /// Any other number; infinite if it is too large for a double.
    case number(Double)
    case string(String)
    case array([JSONNode])
    case object([JSONMember])

    /// The kind with its article, for messages.
    var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

struct JSONMember: Sendable {
    var key: String
    var node: JSONNode
}

/// Where and why a text is not JSON.
struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// From 1; columns count bytes.
    var line: Int
    var column: Int
    var byteOffset: Int
    var problem: String

    var description: String {
        "the body is not valid JSON: line \(line), column \(column) (byte \(byteOffset)): \(problem)"
    }
}
