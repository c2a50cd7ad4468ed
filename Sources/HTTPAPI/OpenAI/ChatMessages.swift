import JSON

/// The messages of a chat request, checked, as the JSON text that the chat template gets.
///
/// The text is the client's own, so keys keep their order, but for two things that templates expect otherwise: content
/// in parts becomes one string (parts joined by a line feed, as vLLM does), and the arguments of a tool call become the
/// object that they spell.
enum ChatMessages {
    static let maximumCount = 4096

    /// - Throws: `.invalid` or `.unsupported`, naming the message and the field.
    static func text(of fields: JSONFields) throws(APIError) -> String {
        guard let node = fields["messages"] else { throw fields.missing("messages") }
        guard case .array(let messages) = node.value else {
            throw fields.mismatch("messages", node, "must be an array of messages")
        }
        guard !messages.isEmpty, messages.count <= maximumCount else {
            throw .invalid(
                parameter: "messages",
                problem: "'messages' has \(messages.count) entries, but must have 1 to \(maximumCount)")
        }
        var edits: [Edit] = []
        for (index, message) in messages.enumerated() {
            try check(JSONFields(message, of: fields.document, at: "messages[\(index)]"), collecting: &edits)
        }
        return apply(edits, to: node, of: fields.document)
    }

    /// A part of the document and what stands in its place.
    private struct Edit {
        var node: JSONNode
        var replacement: [UInt8]
    }

    private static func check(_ message: JSONFields, collecting edits: inout [Edit]) throws(APIError) {
        guard let role = try message.string("role") else { throw message.missing("role") }
        guard !role.isEmpty else {
            throw .invalid(parameter: message.name("role"), problem: "'\(message.name("role"))' is empty")
        }
        let toolCalls = try message.array("tool_calls") ?? []
        if let content = message["content"] {
            switch content.value {
            case .string: break
            case .array(let parts):
                let text = try joinedText(of: parts, in: message)
                edits.append(Edit(node: content, replacement: JSONText.quoted(text)))
            default: throw message.mismatch("content", content, "must be a string or an array of text parts")
            }
        } else if role != "assistant" {
            throw message.missing("content")
        }
        for (index, call) in toolCalls.enumerated() {
            let call = try JSONFields(call, of: message.document, at: message.name("tool_calls[\(index)]"))
            guard let function = try call.object("function"), let arguments = function["arguments"],
                case .string(let spelled) = arguments.value,
                let document = try? JSONDocument(parsing: Array(spelled.utf8)), case .object = document.root.value
            else { continue }
            edits.append(Edit(node: arguments, replacement: document.bytes))
        }
    }

    private static func joinedText(of parts: [JSONNode], in message: JSONFields) throws(APIError) -> String {
        var texts: [String] = []
        for (index, part) in parts.enumerated() {
            let place = message.name("content[\(index)]")
            if case .string(let text) = part.value {
                texts.append(text)
                continue
            }
            let part = try JSONFields(part, of: message.document, at: place)
            guard let type = try part.string("type") else { throw part.missing("type") }
            guard type == "text" else {
                throw .unsupported(
                    parameter: place,
                    problem: "'\(place)' is of type '\(type.prefix(40))', but only 'text' is supported")
            }
            guard let text = try part.string("text") else { throw part.missing("text") }
            texts.append(text)
        }
        return texts.joined(separator: "\n")
    }

    private static func apply(_ edits: [Edit], to node: JSONNode, of document: JSONDocument) -> String {
        if edits.isEmpty { return document.text(of: node) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(node.end - node.start))
        var position = Int(node.start)
        for edit in edits.sorted(by: { $0.node.start < $1.node.start }) {
            bytes.append(contentsOf: document.bytes[position..<Int(edit.node.start)])
            bytes.append(contentsOf: edit.replacement)
            position = Int(edit.node.end)
        }
        bytes.append(contentsOf: document.bytes[position..<Int(node.end)])
        return String(decoding: bytes, as: UTF8.self)
    }
}
