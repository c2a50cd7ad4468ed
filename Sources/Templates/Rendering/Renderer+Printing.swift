extension Renderer {
    /// Python's `str(value)`, which is what output prints.
    mutating func text(of value: TemplateValue) throws(TemplateError) -> String {
        switch value {
        case .undefined: return ""
        case .string(let text): return text
        default: return try representation(of: value)
        }
    }

    /// Python's `repr(value)`.
    mutating func representation(of value: TemplateValue) throws(TemplateError) -> String {
        var result = ""
        try appendRepresentation(of: value, to: &result)
        return result
    }

    private mutating func appendRepresentation(
        of value: TemplateValue, to result: inout String
    ) throws(TemplateError) {
        try spend()
        guard result.utf8.count <= limits.outputByteCount else { return try checkTextLength(result.utf8.count) }
        switch value {
        case .undefined: result += "Undefined"
        case .null: result += "None"
        case .boolean(let value): result += value ? "True" : "False"
        case .integer(let value): result += String(value)
        case .largeInteger(let digits): result += digits
        case .float(let value): result += PythonFloat.representation(of: value)
        case .string(let text):
            try spend(byteCount: text.utf8.count)
            result += PythonText.quoted(text)
        case .list(let list):
            result += "["
            try appendRepresentations(of: list.elements, to: &result)
            result += "]"
        case .tuple(let list):
            result += "("
            try appendRepresentations(of: list.elements, to: &result)
            result += list.elements.count == 1 ? ",)" : ")"
        case .mapping(let mapping): try appendRepresentation(of: mapping, to: &result)
        case .object: result += "<\(value.typeName)>"
        }
    }

    private mutating func appendRepresentations(
        of elements: [TemplateValue], to result: inout String
    ) throws(TemplateError) {
        for (index, element) in elements.enumerated() {
            if index > 0 { result += ", " }
            try appendRepresentation(of: element, to: &result)
        }
    }

    private mutating func appendRepresentation(
        of mapping: TemplateMapping, to result: inout String
    ) throws(TemplateError) {
        result += "{"
        for (index, entry) in mapping.entries.enumerated() {
            if index > 0 { result += ", " }
            try appendRepresentation(of: entry.key.value, to: &result)
            result += ": "
            try appendRepresentation(of: entry.value, to: &result)
        }
        result += "}"
    }
}
