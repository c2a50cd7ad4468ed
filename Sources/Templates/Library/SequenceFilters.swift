/// Filters on lists, and on what can be looped over like one. Where Jinja2 gives a generator they give a list.
enum SequenceFilters {
    static let table: [String: Filter] = [
        "length": length, "count": length, "first": first, "last": last, "join": join, "list": list,
        "reverse": reverse, "items": items, "batch": batch, "slice": slice, "sum": sum,
    ]

    @Sendable private static func length(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "length", in: renderer)
        switch value {
        case .undefined: return 0
        case .string(let text):
            try renderer.spend(byteCount: text.utf8.count)
            return .integer(text.unicodeScalars.count)
        case .list(let list), .tuple(let list): return .integer(list.elements.count)
        case .mapping(let mapping): return .integer(mapping.entries.count)
        default:
            throw renderer.failure("a value of type \(value.typeName) has no length; use a list, mapping or string")
        }
    }

    @Sendable private static func first(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "first", in: renderer)
        return try renderer.elements(of: value).first ?? .undefined("the sequence is empty and has no first item")
    }

    @Sendable private static func last(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "last", in: renderer)
        return try renderer.elements(of: value).last ?? .undefined("the sequence is empty and has no last item")
    }

    @Sendable private static func join(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["d", "attribute"], of: "join", in: renderer)
        let separator = try renderer.text(of: given[0] ?? "")
        var parts: [String] = []
        for element in try renderer.elements(of: value) {
            var element = element
            if let path = given[1], !path.isNull { element = try renderer.attributePath(path, of: element) }
            parts.append(try renderer.text(of: element))
        }
        return try renderer.joined(parts, by: separator)
    }

    @Sendable private static func list(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "list", in: renderer)
        return .list(TemplateList(try renderer.elements(of: value)))
    }

    @Sendable private static func reverse(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        _ = try arguments.bind([], of: "reverse", in: renderer)
        if case .string(let text) = value { return try renderer.string(String(text.unicodeScalars.reversed())) }
        return .list(TemplateList(try renderer.elements(of: value).reversed()))
    }

    @Sendable private static func items(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        switch value {
        case .undefined: return .list([])
        case .mapping: return try Methods.items(value, arguments, &renderer)
        default: throw renderer.failure("a value of type \(value.typeName) has no items; use a mapping")
        }
    }

    private static func count(
        _ value: TemplateValue?, _ renderer: Renderer
    ) throws(TemplateError) -> Int {
        let count = try renderer.integer(value, "a number of parts or items", fallback: 0)
        guard count > 0 else { throw renderer.failure("a number of parts or items is not positive; use 1 or more") }
        return count
    }

    @Sendable private static func batch(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["linecount", "fill_with"], of: "batch", in: renderer)
        let size = try count(given[0], renderer)
        let elements = try renderer.elements(of: value)
        var batches: [TemplateValue] = []
        var start = 0
        while start < elements.count {
            let end = elements.count - start > size ? start + size : elements.count
            var batch = Array(elements[start..<end])
            if let filler = given[1], !filler.isNull, batch.count < size {
                try renderer.spend(size - batch.count)
                batch += Array(repeating: filler, count: size - batch.count)
            }
            batches.append(try renderer.list(batch))
            start = end
        }
        return try renderer.list(batches)
    }

    @Sendable private static func slice(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["slices", "fill_with"], of: "slice", in: renderer)
        let sliceCount = try count(given[0], renderer)
        let elements = try renderer.elements(of: value)
        try renderer.spend(sliceCount)
        let (size, extra) = elements.count.quotientAndRemainder(dividingBy: sliceCount)
        var slices: [TemplateValue] = []
        var start = 0
        for index in 0..<sliceCount {
            let end = start + size + (index < extra ? 1 : 0)
            var slice = Array(elements[start..<end])
            if let filler = given[1], !filler.isNull, index >= extra { slice.append(filler) }
            slices.append(try renderer.list(slice))
            start = end
        }
        return try renderer.list(slices)
    }

    @Sendable private static func sum(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        let given = try arguments.bind(["attribute", "start"], of: "sum", in: renderer)
        var total = given[1] ?? 0
        for element in try renderer.elements(of: value) {
            var element = element
            if let path = given[0], !path.isNull { element = try renderer.attributePath(path, of: element) }
            total = try renderer.combine(total, .add, element)
        }
        return total
    }
}
