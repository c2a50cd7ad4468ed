/// The values a function, filter, test, method or macro is called with.
struct Arguments {
    var positional: [TemplateValue] = []
    var keywords: [(name: String, value: TemplateValue)] = []

    /// The values in the order of `parameters`, by place or by name; nil for those not given.
    func bind(
        _ parameters: [String], of callee: String, in renderer: Renderer
    ) throws(TemplateError) -> [TemplateValue?] {
        guard positional.count <= parameters.count else {
            throw renderer.failure("\(callee) takes at most \(parameters.count) arguments, not \(positional.count)")
        }
        var values: [TemplateValue?] = positional
        values += Array(repeating: nil, count: parameters.count - positional.count)
        for (name, value) in keywords {
            guard let index = parameters.firstIndex(of: name) else {
                let known = parameters.isEmpty ? "none" : parameters.joined(separator: ", ")
                throw renderer.failure("\(callee) has no argument \(name); it has \(known)")
            }
            guard values[index] == nil else { throw renderer.failure("\(callee) is given \(name) twice; give it once") }
            values[index] = value
        }
        return values
    }
}

extension Renderer {
    /// An integer argument; `fallback` if it is missing or none.
    func integer(_ value: TemplateValue?, _ what: String, fallback: Int) throws(TemplateError) -> Int {
        switch value {
        case nil, .some(.null): return fallback
        case .integer(let value): return value
        case .boolean(let value): return value ? 1 : 0
        case .some(let value): throw failure("\(what) is of type \(value.typeName); use an integer")
        }
    }

    /// A string argument; nil if it is missing or none.
    func optionalText(_ value: TemplateValue?, _ what: String) throws(TemplateError) -> String? {
        switch value {
        case nil, .some(.null): return nil
        case .string(let text): return text
        case .some(let value): throw failure("\(what) is of type \(value.typeName); use a string")
        }
    }

    /// A string argument that must be given.
    func text(_ value: TemplateValue?, _ what: String) throws(TemplateError) -> String {
        guard let text = try optionalText(value, what) else { throw failure("\(what) is missing; give a string") }
        return text
    }

    /// An argument of any type that must be given.
    func required(_ value: TemplateValue?, _ what: String) throws(TemplateError) -> TemplateValue {
        guard let value else { throw failure("\(what) is missing; give it") }
        return value
    }
}
