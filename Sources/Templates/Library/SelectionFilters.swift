/// Filters that apply a filter or a test to every element.
enum SelectionFilters {
    static let table: [String: Filter] = [
        "map": map,
        "select": select(keeps: true, byAttribute: false), "reject": select(keeps: false, byAttribute: false),
        "selectattr": select(keeps: true, byAttribute: true), "rejectattr": select(keeps: false, byAttribute: true),
    ]

    @Sendable private static func map(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        var results: [TemplateValue] = []
        if arguments.positional.isEmpty {
            let given = try arguments.bind(["attribute", "default"], of: "map", in: renderer)
            let path = try renderer.required(given[0], "a filter's name or an attribute for map")
            for element in try renderer.elements(of: value) {
                let found = try renderer.attributePath(path, of: element)
                results.append(found.isUndefined ? given[1] ?? found : found)
            }
        } else {
            var rest = arguments
            let name = try renderer.text(rest.positional.removeFirst(), "the filter's name for map")
            for element in try renderer.elements(of: value) {
                results.append(try renderer.filter(element, name, rest))
            }
        }
        return try renderer.list(results)
    }

    private static func select(keeps: Bool, byAttribute: Bool) -> Filter {
        { (value, arguments, renderer) throws(TemplateError) in
            var rest = arguments
            var path: TemplateValue?
            if byAttribute {
                guard !rest.positional.isEmpty else {
                    throw renderer.failure("selectattr and rejectattr need an attribute")
                }
                path = rest.positional.removeFirst()
            }
            var name: String?
            if !rest.positional.isEmpty { name = try renderer.text(rest.positional.removeFirst(), "the test's name") }
            var kept: [TemplateValue] = []
            for element in try renderer.elements(of: value) {
                let tested = if let path { try renderer.attributePath(path, of: element) } else { element }
                let holds = if let name { try renderer.test(tested, name, rest) } else { tested.isTrue }
                if holds == keeps { kept.append(element) }
            }
            return .list(TemplateList(kept))
        }
    }
}
