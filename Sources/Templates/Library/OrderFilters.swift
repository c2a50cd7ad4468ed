/// Filters that compare elements. Text is compared without regard to case unless told otherwise, as in Jinja2.
enum OrderFilters {
    static let table: [String: Filter] = [
        "sort": sort, "dictsort": sortMapping, "unique": unique, "min": extreme(isMaximum: false),
        "max": extreme(isMaximum: true),
    ]

    private static func comparable(
        _ value: TemplateValue, isCaseSensitive: Bool, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        guard case .string(let text) = value, !isCaseSensitive else { return value }
        return try renderer.string(text.lowercased())
    }

    /// Elements with what they are compared by.
    private static func keyed(
        _ value: TemplateValue, attribute: TemplateValue?, isCaseSensitive: Bool, _ renderer: inout Renderer
    ) throws(TemplateError) -> [(key: TemplateValue, value: TemplateValue)] {
        var result: [(key: TemplateValue, value: TemplateValue)] = []
        for element in try renderer.elements(of: value) {
            var key = element
            if let attribute, !attribute.isNull { key = try renderer.attributePath(attribute, of: element) }
            result.append((try comparable(key, isCaseSensitive: isCaseSensitive, &renderer), element))
        }
        return result
    }

    /// Sorted from low to high, or from high to low with equal elements in their old order.
    private static func sorted(
        _ elements: [(key: TemplateValue, value: TemplateValue)], isReversed: Bool, _ renderer: inout Renderer
    ) throws(TemplateError) -> [TemplateValue] {
        if !isReversed { return try renderer.sorted(elements).map(\.value) }
        return try renderer.sorted(elements.reversed()).map(\.value).reversed()
    }

    @Sendable private static func sort(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["reverse", "case_sensitive", "attribute"], of: "sort", in: renderer)
        let isCaseSensitive = given[1]?.isTrue ?? false
        var elements: [(key: TemplateValue, value: TemplateValue)]
        if case .string(let text) = given[2], text.contains(",") {
            elements = []
            let paths = text.split(separator: ",").map { TemplateValue.string(String($0)) }
            for element in try renderer.elements(of: value) {
                var keys: [TemplateValue] = []
                for path in paths {
                    let key = try renderer.attributePath(path, of: element)
                    keys.append(try comparable(key, isCaseSensitive: isCaseSensitive, &renderer))
                }
                elements.append((try renderer.list(keys), element))
            }
        } else {
            elements = try keyed(value, attribute: given[2], isCaseSensitive: isCaseSensitive, &renderer)
        }
        return .list(TemplateList(try sorted(elements, isReversed: given[0]?.isTrue ?? false, &renderer)))
    }

    @Sendable private static func sortMapping(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["case_sensitive", "by", "reverse"], of: "dictsort", in: renderer)
        let isCaseSensitive = given[0]?.isTrue ?? false
        let by = try renderer.optionalText(given[1], "what to sort by") ?? "key"
        guard by == "key" || by == "value" else {
            throw renderer.failure("dictsort sorts by key or value, not by \(by)")
        }
        guard let mapping = value.mappingValue else {
            throw renderer.failure("a value of type \(value.typeName) cannot be sorted by dictsort; use a mapping")
        }
        var elements: [(key: TemplateValue, value: TemplateValue)] = []
        for entry in mapping.entries {
            let key = by == "key" ? entry.key.value : entry.value
            elements.append(
                (
                    try comparable(key, isCaseSensitive: isCaseSensitive, &renderer),
                    try renderer.tuple([entry.key.value, entry.value])
                ))
        }
        return try renderer.list(try sorted(elements, isReversed: given[2]?.isTrue ?? false, &renderer))
    }

    @Sendable private static func unique(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["case_sensitive", "attribute"], of: "unique", in: renderer)
        let elements = try keyed(
            value, attribute: given[1], isCaseSensitive: given[0]?.isTrue ?? false, &renderer)
        var seen: [TemplateValue] = []
        var kept: [TemplateValue] = []
        next: for (key, element) in elements {
            for other in seen where try renderer.isEqual(other, key) { continue next }
            seen.append(key)
            kept.append(element)
        }
        return .list(TemplateList(kept))
    }

    private static func extreme(isMaximum: Bool) -> Filter {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["case_sensitive", "attribute"], of: "min and max", in: renderer)
            let elements = try keyed(
                value, attribute: given[1], isCaseSensitive: given[0]?.isTrue ?? false, &renderer)
            guard var best = elements.first else { return .undefined("the sequence is empty and has no extreme") }
            for element in elements.dropFirst() {
                let order = try renderer.order(element.key, best.key)
                if order == (isMaximum ? .greater : .less) { best = element }
            }
            return best.value
        }
    }
}
