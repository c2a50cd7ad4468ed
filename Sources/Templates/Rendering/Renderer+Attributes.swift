extension Renderer {
    private func notFound(_ name: String, in value: TemplateValue) -> TemplateValue {
        let owner = if case .null = value { "None" } else { "\(value.typeName) object" }
        return .undefined("'\(owner)' has no attribute '\(name)'")
    }

    private func undefinedUse(_ problem: String) -> TemplateError {
        failure("\(problem); test it with `is defined` before using it")
    }

    /// `value.name`: a method or attribute of the type first, then the item of that key, as in Jinja2.
    mutating func attribute(_ name: String, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if case .undefined(let problem) = value { throw undefinedUse(problem) }
        if let own = ownAttribute(name, of: value) { return own }
        if case .mapping(let mapping) = value, let item = mapping[name] { return item }
        return notFound(name, in: value)
    }

    /// `value[index]`: an item first, then the attribute of that name.
    mutating func item(_ index: TemplateValue, of value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if case .undefined(let problem) = value { throw undefinedUse(problem) }
        switch (value, index) {
        case (.mapping(let mapping), _):
            if let key = TemplateKey(index), let item = mapping[key] { return item }
        case (.list(let list), .integer(let position)), (.tuple(let list), .integer(let position)):
            let count = list.elements.count
            if position < count, position >= -count { return list.elements[position < 0 ? position + count : position] }
        case (.list, .boolean(let position)), (.tuple, .boolean(let position)):
            return try item(.integer(position ? 1 : 0), of: value)
        case (.string(let text), .integer(let position)):
            try spend(byteCount: text.utf8.count)
            let scalars = text.unicodeScalars
            let start = position < 0 ? scalars.endIndex : scalars.startIndex
            let end = position < 0 ? scalars.startIndex : scalars.endIndex
            if let found = scalars.index(start, offsetBy: position, limitedBy: end), found != scalars.endIndex {
                return .string(String(scalars[found]))
            }
        default: break
        }
        if case .string(let name) = index {
            return ownAttribute(name, of: value) ?? notFound(name, in: value)
        }
        return .undefined("\(value.typeName) object has no element \(try shortText(of: index))")
    }

    private mutating func shortText(of value: TemplateValue) throws(TemplateError) -> String {
        String(try representation(of: value).prefix(60))
    }

    /// Methods and the attributes of loops and namespaces.
    private mutating func ownAttribute(_ name: String, of value: TemplateValue) -> TemplateValue? {
        switch value {
        case .string, .list, .tuple, .mapping, .integer, .float, .boolean:
            guard Methods.exists(name, for: value) else { return nil }
            return .object(TemplateObject(.method(receiver: value, name: name)))
        case .object(let object):
            switch object.kind {
            case .namespace(let index): return namespaces[index][name]
            case .macro(let index): return name == "name" ? .string(macros[index].definition.name) : nil
            case .loop(let serial): return loopAttribute(name, serial: serial, of: value)
            case .cycler(let index):
                if name == "current" { return cyclers[index].items[cyclers[index].index] }
                let isMethod = name == "next" || name == "reset"
                return isMethod ? .object(TemplateObject(.method(receiver: value, name: name))) : nil
            case .function, .method, .joiner: return nil
            }
        case .undefined, .null, .largeInteger: return nil
        }
    }

    private func loopAttribute(_ name: String, serial: Int, of value: TemplateValue) -> TemplateValue? {
        guard let position = loops.lastIndex(where: { $0.serial == serial }) else { return nil }
        let loop = loops[position]
        let (index, count) = (loop.index, loop.items.count)
        switch name {
        case "index": return .integer(index + 1)
        case "index0": return .integer(index)
        case "revindex": return .integer(count - index)
        case "revindex0": return .integer(count - index - 1)
        case "first": return .boolean(index == 0)
        case "last": return .boolean(index == count - 1)
        case "length": return .integer(count)
        case "depth": return .integer(1)
        case "depth0": return .integer(0)
        case "previtem": return index > 0 ? loop.items[index - 1] : .undefined("there is no previous item")
        case "nextitem": return index + 1 < count ? loop.items[index + 1] : .undefined("there is no next item")
        case "cycle", "changed": return .object(TemplateObject(.method(receiver: value, name: name)))
        default: return nil
        }
    }

    /// `value[start:end:step]` with Python's rules for missing, negative and outlying bounds.
    mutating func slice(
        _ value: TemplateValue, _ start: Int?, _ end: Int?, _ step: Int?
    ) throws(TemplateError) -> TemplateValue {
        switch value {
        case .list(let list): return .list(TemplateList(try slice(list.elements, start, end, step)))
        case .tuple(let list): return .tuple(TemplateList(try slice(list.elements, start, end, step)))
        case .string(let text):
            try spend(byteCount: text.utf8.count)
            return try string(String(try slice(Array(text.unicodeScalars), start, end, step)))
        case .undefined(let problem): throw undefinedUse(problem)
        default: throw failure("a value of type \(value.typeName) cannot be sliced; use a list or string")
        }
    }

    private mutating func slice<Element>(
        _ elements: [Element], _ start: Int?, _ end: Int?, _ step: Int?
    ) throws(TemplateError) -> [Element] {
        let count = elements.count
        let step = step ?? 1
        guard step != 0 else { throw failure("a slice's step is 0; use another number") }
        let lowest = step > 0 ? 0 : -1
        let highest = step > 0 ? count : count - 1
        func bounded(_ bound: Int?, fallback: Int) -> Int {
            guard let bound else { return fallback }
            let fromStart = bound < 0 ? (bound < -count ? -1 : bound + count) : bound
            return min(max(fromStart, lowest), highest)
        }
        var position = bounded(start, fallback: step > 0 ? lowest : highest)
        let stop = bounded(end, fallback: step > 0 ? highest : lowest)
        try spend((stop > position ? stop - position : position - stop) / 8)
        var result: [Element] = []
        while step > 0 ? position < stop : position > stop {
            result.append(elements[position])
            let (next, overflow) = position.addingReportingOverflow(step)
            if overflow { break }
            position = next
        }
        try spend(result.count)
        return result
    }
}
