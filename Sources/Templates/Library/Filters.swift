/// A filter: the value before the bar, and the arguments after the name.
typealias Filter = @Sendable (TemplateValue, Arguments, inout Renderer) throws(TemplateError) -> TemplateValue

/// The filters by name.
enum Filters {
    static let table: [String: Filter] = TextFilters.table
        .merging(ValueFilters.table) { first, _ in first }
        .merging(SequenceFilters.table) { first, _ in first }
        .merging(SelectionFilters.table) { first, _ in first }
        .merging(OrderFilters.table) { first, _ in first }
}

extension Renderer {
    mutating func filter(
        _ value: TemplateValue, _ name: String, _ arguments: Arguments
    ) throws(TemplateError) -> TemplateValue {
        guard let filter = Filters.table[name] else {
            throw failure("unknown filter \(name); this interpreter knows those that chat templates use")
        }
        return try filter(value, arguments, &self)
    }

    /// The attribute of an element that filters like `map(attribute='a.b')` name: keys, or indices, with dots between.
    mutating func attributePath(_ path: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
        guard case .string(let text) = path else { return try item(path, of: value) }
        var value = value
        for part in text.split(separator: ".", omittingEmptySubsequences: false) {
            let isIndex = !part.isEmpty && part.unicodeScalars.allSatisfy(\.isASCIIDigit)
            let index = isIndex ? Int(part) : nil
            value = try item(index.map { .integer($0) } ?? .string(String(part)), of: value)
        }
        return value
    }
}
