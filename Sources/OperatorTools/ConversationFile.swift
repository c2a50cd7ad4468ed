public import Templates

/// A JSON file with a conversation: an array of messages, or an object with `messages` and perhaps `tools`,
/// `documents` and `add_generation_prompt`. Whatever else the object has is a variable of the template.
public enum ConversationFile {
    /// - Throws: `InputError` naming the first mistake.
    public static func read(_ path: String) throws(InputError) -> ChatPrompt {
        try parse(try InputFile.bytes(path), path: path)
    }

    /// The descriptions of tools in a JSON file: an array.
    public static func readTools(_ path: String) throws(InputError) -> [TemplateValue] {
        try list(try document(try InputFile.bytes(path), path), path, "the file")
    }

    static func parse(_ bytes: [UInt8], path: String) throws(InputError) -> ChatPrompt {
        let document = try document(bytes, path)
        guard case .mapping(let mapping) = document else {
            return ChatPrompt(messages: try messages(document, path))
        }
        guard let messages = mapping["messages"] else {
            throw .unexpected(path: path, problem: "'messages' is missing; give an array of messages")
        }
        var prompt = ChatPrompt(messages: try Self.messages(messages, path))
        for entry in mapping.entries {
            guard case .string(let name) = entry.key else { continue }
            switch (name, entry.value) {
            case ("messages", _), ("tools", .null), ("documents", .null): break
            case ("tools", let value): prompt.tools = try list(value, path, "'tools'")
            case ("documents", let value): prompt.documents = try list(value, path, "'documents'")
            case ("add_generation_prompt", .boolean(let value)): prompt.addsGenerationPrompt = value
            case ("add_generation_prompt", _):
                throw .unexpected(path: path, problem: "'add_generation_prompt' is not true or false")
            default: prompt.variables[name] = entry.value
            }
        }
        return prompt
    }

    private static func document(_ bytes: [UInt8], _ path: String) throws(InputError) -> TemplateValue {
        do { return try TemplateValue(json: bytes) } catch {
            throw .unexpected(path: path, problem: error.description)
        }
    }

    private static func messages(_ value: TemplateValue, _ path: String) throws(InputError) -> [TemplateValue] {
        let messages = try list(value, path, "'messages'")
        for (index, message) in messages.enumerated() where message.mappingValue?["role"]?.stringValue == nil {
            throw .unexpected(path: path, problem: "message \(index) is not an object with a 'role'")
        }
        return messages
    }

    private static func list(_ value: TemplateValue, _ path: String, _ name: String) throws(InputError)
        -> [TemplateValue]
    {
        guard case .list(let list) = value else { throw .unexpected(path: path, problem: "\(name) is not an array") }
        return list.elements
    }
}
