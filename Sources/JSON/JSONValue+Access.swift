extension JSONValue {
    /// The value of a number without fraction, written in any way: `5`, `5.0` or `5e0`.
    public var wholeNumber: Int? {
        switch self {
        case .integer(let value): Int(value)
        case .number(let value): Int(exactly: value)
        default: nil
        }
    }

    /// The value of any number.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value if it is a string.
    public var string: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The value if it is true or false.
    public var boolean: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements if it is an array.
    public var elements: [JSONNode]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members, in order and repeated keys included, if it is an object.
    public var members: [JSONMember]? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The member of an object, the last one if the key stands twice; nil also if it is null.
    public subscript(key: String) -> JSONValue? {
        guard let node = members?.last(where: { $0.key == key })?.node else { return nil }
        if case .null = node.value { return nil }
        return node.value
    }
}
