import JSON

/// Typed access to the fields of a JSON object that a client sent. A wrong type or range is an error that names the
/// field.
///
/// A field that is null counts as absent, as in OpenAI's own API. Of a key that stands twice the last one counts.
struct JSONFields: Sendable {
    let document: JSONDocument
    private let nodes: [String: JSONNode]
    /// Put before the names in messages, such as `messages[2].`.
    private let path: String

    /// - Throws: `.invalid` unless `node` is an object.
    init(_ node: JSONNode, of document: JSONDocument, at path: String = "") throws(APIError) {
        guard case .object(let members) = node.value else {
            throw path.isEmpty
                ? .invalid(parameter: nil, problem: "the body is \(node.value.kind), but must be a JSON object")
                : .invalid(parameter: path, problem: "'\(path)' is \(node.value.kind), but must be an object")
        }
        self.document = document
        self.path = path.isEmpty ? "" : path + "."
        var nodes: [String: JSONNode] = [:]
        for member in members { nodes[member.key] = member.node }
        self.nodes = nodes
    }

    /// The field's name with its path, as errors give it.
    func name(_ field: String) -> String { path + field }

    /// The field, unless it is absent or null.
    subscript(_ field: String) -> JSONNode? {
        guard let node = nodes[field] else { return nil }
        if case .null = node.value { return nil }
        return node
    }

    func bool(_ field: String) throws(APIError) -> Bool? {
        guard let node = self[field] else { return nil }
        guard case .bool(let value) = node.value else { throw mismatch(field, node, "must be true or false") }
        return value
    }

    func string(_ field: String) throws(APIError) -> String? {
        guard let node = self[field] else { return nil }
        guard case .string(let value) = node.value else { throw mismatch(field, node, "must be a string") }
        return value
    }

    func array(_ field: String) throws(APIError) -> [JSONNode]? {
        guard let node = self[field] else { return nil }
        guard case .array(let value) = node.value else { throw mismatch(field, node, "must be an array") }
        return value
    }

    func object(_ field: String) throws(APIError) -> JSONFields? {
        guard let node = self[field] else { return nil }
        return try JSONFields(node, of: document, at: name(field))
    }

    func integer(_ field: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
        guard let node = self[field] else { return nil }
        let bounds =
            range.upperBound == .max
            ? "at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
        guard let value = node.value.wholeNumber else {
            throw mismatch(field, node, "must be a whole number \(bounds)")
        }
        guard range.contains(value) else {
            throw .invalid(parameter: name(field), problem: "'\(name(field))' is \(value), but must be \(bounds)")
        }
        return value
    }

    /// A finite number within `range`.
    func number(_ field: String, in range: ClosedRange<Double>) throws(APIError) -> Double? {
        guard let node = self[field] else { return nil }
        let bounds = "a number from \(range.lowerBound.plain) to \(range.upperBound.plain)"
        guard let value = node.value.double else { throw mismatch(field, node, "must be \(bounds)") }
        guard value.isFinite, range.contains(value) else {
            throw .invalid(
                parameter: name(field), problem: "'\(name(field))' is \(document.text(of: node)), but must be \(bounds)"
            )
        }
        return value
    }

    func mismatch(_ field: String, _ node: JSONNode, _ requirement: String) -> APIError {
        let found: String
        switch node.value {
        case .integer, .number: found = document.text(of: node)
        default: found = node.value.kind
        }
        return .invalid(parameter: name(field), problem: "'\(name(field))' is \(found), but \(requirement)")
    }

    func missing(_ field: String) -> APIError {
        .invalid(parameter: name(field), problem: "'\(name(field))' is required")
    }
}

extension Double {
    /// Without a fraction if there is none, for messages.
    fileprivate var plain: String { Int(exactly: self).map(String.init) ?? String(self) }
}
