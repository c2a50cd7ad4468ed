/// Functions that every template can call.
enum GlobalFunction: String, Sendable {
    case range
    case namespace
    case dict
    case cycler
    case joiner
    case raiseException = "raise_exception"
    case strftimeNow = "strftime_now"
}

extension Renderer {
    /// As many numbers as Jinja2's sandbox lets a range have.
    private static let maximumRangeCount = 100_000

    mutating func invoke(_ function: GlobalFunction, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
        switch function {
        case .range: return try range(arguments)
        case .namespace:
            // A namespace lives until the run ends, so it costs what it holds.
            try spend(20)
            namespaces.append(try dictionary(arguments, of: "namespace"))
            return .object(TemplateObject(.namespace(namespaces.count - 1)))
        case .dict: return try mapping(try dictionary(arguments, of: "dict"))
        case .cycler:
            guard !arguments.positional.isEmpty else { throw failure("cycler needs values; give at least one") }
            try spend(20)
            cyclers.append(Cycler(items: arguments.positional))
            return .object(TemplateObject(.cycler(cyclers.count - 1)))
        case .joiner:
            try spend(20)
            let separator = try arguments.bind(["sep"], of: "joiner", in: self)[0] ?? .string(", ")
            joiners.append(Joiner(separator: separator))
            return .object(TemplateObject(.joiner(joiners.count - 1)))
        case .raiseException:
            let message = try arguments.bind(["message"], of: "raise_exception", in: self)[0]
            throw .raised(try text(of: try required(message, "the message of raise_exception")))
        case .strftimeNow:
            let format = try arguments.bind(["format"], of: "strftime_now", in: self)[0]
            return try string(try formattedNow(try text(format, "the format of strftime_now")))
        }
    }

    private mutating func range(_ arguments: Arguments) throws(TemplateError) -> TemplateValue {
        guard arguments.keywords.isEmpty, (1...3).contains(arguments.positional.count) else {
            throw failure("range takes one to three integers; write range(stop) or range(start, stop, step)")
        }
        var bounds: [Int] = []
        for value in arguments.positional { bounds.append(try integer(value, "an argument of range", fallback: 0)) }
        let start = bounds.count > 1 ? bounds[0] : 0
        let stop = bounds.count > 1 ? bounds[1] : bounds[0]
        let step = bounds.count > 2 ? bounds[2] : 1
        guard step != 0 else { throw failure("the step of range is 0; use another number") }
        var numbers: [TemplateValue] = []
        var number = start
        while step > 0 ? number < stop : number > stop {
            guard numbers.count < Self.maximumRangeCount else {
                throw limitFailure("a range has more than \(Self.maximumRangeCount) numbers; use a smaller one")
            }
            numbers.append(.integer(number))
            let (next, overflow) = number.addingReportingOverflow(step)
            if overflow { break }
            number = next
        }
        try spend(numbers.count)
        return .list(TemplateList(numbers))
    }

    /// A mapping or list of pairs, if one is given, and the keywords.
    private mutating func dictionary(_ arguments: Arguments, of callee: String) throws(TemplateError) -> TemplateMapping
    {
        guard arguments.positional.count <= 1 else { throw failure("\(callee) takes one mapping and keywords") }
        var result = TemplateMapping()
        switch arguments.positional.first {
        case nil: break
        case .mapping(let mapping):
            try spend(mapping.entries.count)
            result = mapping
        case .some(let pairs):
            for pair in try elements(of: pairs) {
                let parts = try elements(of: pair)
                guard parts.count == 2 else {
                    throw failure("\(callee) takes a mapping, or pairs of a key and a value")
                }
                result[try key(parts[0])] = parts[1]
            }
        }
        for (name, value) in arguments.keywords { result[name] = value }
        return result
    }

    private func formattedNow(_ format: String) throws(TemplateError) -> String {
        guard let secondsSince1970 else {
            throw failure("strftime_now is called but the time was not given; render with secondsSince1970")
        }
        guard let text = CivilDate(secondsSince1970: secondsSince1970).formatted(format) else {
            throw failure("strftime_now does not know every code in \(format); use those of C's strftime")
        }
        return text
    }
}
