/// A method of a string, list, tuple or mapping.
typealias Method = @Sendable (TemplateValue, Arguments, inout Renderer) throws(TemplateError) -> TemplateValue

/// The methods that values have. Those that would change a list or mapping in place exist only to say so, as in the
/// sandbox that chat templates are written for.
enum Methods {
    static func exists(_ name: String, for value: TemplateValue) -> Bool {
        find(name, for: value) != nil
    }

    static func find(_ name: String, for value: TemplateValue) -> Method? {
        switch value {
        case .string: StringMethods.table[name]
        case .list: sequenceTable[name] ?? changingListTable[name]
        case .tuple: sequenceTable[name]
        case .mapping: mappingTable[name]
        default: nil
        }
    }

    private static let sequenceTable: [String: Method] = ["index": index, "count": count]

    private static let changingListTable: [String: Method] = Dictionary(
        uniqueKeysWithValues: ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"].map {
            ($0, refusal($0))
        })

    private static let mappingTable: [String: Method] = [
        "get": get, "items": items, "keys": keys, "values": values, "copy": copy,
        "clear": refusal("clear"), "pop": refusal("pop"), "popitem": refusal("popitem"),
        "setdefault": refusal("setdefault"), "update": refusal("update"),
    ]

    private static func refusal(_ name: String) -> Method {
        { (_, _, renderer) throws(TemplateError) in
            throw renderer.failure(
                "\(name) would change a value in place, which templates cannot; build a new one with set, + or dict()")
        }
    }

    @Sendable private static func index(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["value"], of: "index", in: renderer)
        let wanted = try renderer.required(given[0], "the value to find")
        for (index, element) in (value.elements ?? []).enumerated() where try renderer.isEqual(element, wanted) {
            return .integer(index)
        }
        throw renderer.failure("index does not find the value in the list; test with `in` first")
    }

    @Sendable private static func count(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["value"], of: "count", in: renderer)
        let wanted = try renderer.required(given[0], "the value to count")
        var count = 0
        for element in value.elements ?? [] where try renderer.isEqual(element, wanted) { count += 1 }
        return .integer(count)
    }

    @Sendable private static func get(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["key", "default"], of: "get", in: renderer)
        let key = try renderer.required(given[0], "the key to get")
        return TemplateKey(key).flatMap { value.mappingValue?[$0] } ?? given[1] ?? .null
    }

    @Sendable static func items(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "items", in: renderer)
        let entries = value.mappingValue?.entries ?? []
        try renderer.spend(entries.count * 3)
        return try renderer.list(entries.map { .tuple([$0.key.value, $0.value]) })
    }

    @Sendable private static func keys(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "keys", in: renderer)
        return .list(TemplateList(try renderer.elements(of: value)))
    }

    @Sendable private static func values(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "values", in: renderer)
        let entries = value.mappingValue?.entries ?? []
        try renderer.spend(entries.count)
        return .list(TemplateList(entries.map(\.value)))
    }

    @Sendable private static func copy(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "copy", in: renderer)
        return value
    }
}
