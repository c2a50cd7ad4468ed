/// A parsed JSON text that remembers where in the text each value stands, so that parts of it can be handed on exactly
/// as they came, with their keys in order.
public struct JSONDocument: Sendable {
    public let bytes: [UInt8]
    public let root: JSONNode

    /// - Throws: ``JSONSyntaxError`` if `bytes` are not one JSON value in UTF-8 within the limits.
    public init(parsing bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONSyntaxError) {
        var parser = JSONParser(bytes: bytes, limits: limits)
        self.root = try parser.parseDocument()
        self.bytes = bytes
    }

    /// The text of `node` as it was written.
    public func text(of node: JSONNode) -> String {
        String(decoding: bytes[Int(node.start)..<Int(node.end)], as: UTF8.self)
    }
}

/// What a document may need to be read.
public struct JSONLimits: Sendable {
    /// Nested arrays and objects; real tool schemas stay below 30.
    public var maximumDepth: Int
    /// Values in one document. A node takes 32 bytes, so this bounds what a text of small values can allocate.
    public var maximumValueCount: Int

    public init(maximumDepth: Int = 128, maximumValueCount: Int = 1_000_000) {
        self.maximumDepth = maximumDepth
        self.maximumValueCount = maximumValueCount
    }
}

/// One value of a document.
public struct JSONNode: Sendable {
    public var value: JSONValue
    /// Byte offsets in the document of the first byte and of the one after the last.
    public var start: UInt32
    public var end: UInt32
}

public enum JSONValue: Sendable {
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
    public var kind: String {
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

public struct JSONMember: Sendable {
    public var key: String
    public var node: JSONNode
}

/// Where and why a text is not JSON.
public struct JSONSyntaxError: Error, Equatable, Sendable, CustomStringConvertible {
    /// From 1; columns count bytes.
    public var line: Int
    public var column: Int
    public var byteOffset: Int
    public var problem: String

    public var description: String {
        "not valid JSON: line \(line), column \(column) (byte \(byteOffset)): \(problem)"
    }
}
