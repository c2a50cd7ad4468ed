extension Renderer {
    /// Python's `format % values`, with the conversions s, r, d, i, u, f, F, x, X, o and %.
    mutating func percentFormatted(_ format: String, _ values: TemplateValue) throws(TemplateError) -> String {
        try spend(byteCount: format.utf8.count)
        var remaining: ArraySlice<TemplateValue> = [values]
        if case .tuple(let list) = values { remaining = list.elements[...] }
        var result = ""
        var usesKeys = false
        var scalars = Array(format.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%" else {
                result.unicodeScalars.append(scalar)
                continue
            }
            let key = try takeKey(&scalars)
            let (specification, conversion) = try takeConversion(&scalars)
            if conversion == "%" {
                result += "%"
                continue
            }
            let value: TemplateValue
            if let key {
                usesKeys = true
                guard case .mapping(let mapping) = values, let found = mapping[key] else {
                    throw failure("the values after % have no key \(key); pass a mapping that has it")
                }
                value = found
            } else {
                guard let next = remaining.popFirst() else {
                    throw failure("there are fewer values after % than places in the string; add some")
                }
                value = next
            }
            let text = conversion == "r" ? try representation(of: value) : try text(of: value)
            guard let formatted = specification.formatted(value, text: text) else {
                throw failure("%\(conversion) cannot show a value of type \(value.typeName); use %s")
            }
            try checkTextLength(result.utf8.count + formatted.utf8.count)
            result += formatted
        }
        // Python lets whatever has items go unused, a list, too.
        let mayBeUnused =
            switch values {
            case .mapping, .list: true
            default: usesKeys
            }
        guard remaining.isEmpty || mayBeUnused else {
            throw failure("there are more values after % than places in the string; remove some")
        }
        return result
    }

    private func takeKey(_ scalars: inout ArraySlice<Unicode.Scalar>) throws(TemplateError) -> String? {
        guard scalars.first == "(" else { return nil }
        guard let end = scalars.firstIndex(of: ")") else { throw failure("a key after % is not closed; add )") }
        defer { scalars = scalars[(end + 1)...] }
        return String(scalars[(scalars.startIndex + 1)..<end])
    }

    private func takeConversion(
        _ scalars: inout ArraySlice<Unicode.Scalar>
    ) throws(TemplateError) -> (FormatSpecification, Unicode.Scalar) {
        var specification = FormatSpecification()
        specification.acceptsAnyAsText = true
        specification.alignment = .right
        flags: while let flag = scalars.first {
            switch flag {
            case "-": specification.alignment = .left
            case "0":
                if specification.alignment != .left {
                    (specification.fill, specification.alignment) = ("0", .afterSign)
                }
            case "+": specification.positiveSign = "+"
            case " ": if specification.positiveSign.isEmpty { specification.positiveSign = " " }
            case "#": specification.showsRadix = true
            default: break flags
            }
            scalars.removeFirst()
        }
        if specification.alignment == .left { specification.fill = " " }
        let widthLimit = failure("a width or precision after % has too many digits; use a smaller one")
        guard let width = FormatSpecification.takeNumber(&scalars) else { throw widthLimit }
        specification.width = width
        if scalars.first == "." {
            scalars.removeFirst()
            guard let precision = FormatSpecification.takeNumber(&scalars) else { throw widthLimit }
            specification.precision = precision
        }
        guard let conversion = scalars.popFirst() else {
            throw failure("the string ends after %; write %% for a percent sign")
        }
        guard "srdiufFxXo%".unicodeScalars.contains(conversion) else {
            throw failure("%\(conversion) is not supported; use %s, %d, %f or %x")
        }
        specification.type = conversion == "r" || conversion == "s" ? "s" : conversion
        if specification.type == "s", specification.alignment == .afterSign {
            (specification.fill, specification.alignment) = (" ", .right)
        }
        return (specification, conversion)
    }

    /// Python's `format.format(…)`: fields by place or name, with `!r` and `!s` and specifications of type s, d, f, x, o, b.
    mutating func formatted(_ format: String, _ arguments: Arguments) throws(TemplateError) -> String {
        try spend(byteCount: format.utf8.count)
        var result = ""
        var nextIndex = 0
        var scalars = Array(format.unicodeScalars)[...]
        while let scalar = scalars.popFirst() {
            if scalar == "{" || scalar == "}", scalars.first == scalar {
                scalars.removeFirst()
            } else if scalar == "{" {
                guard let end = scalars.firstIndex(of: "}") else { throw failure("{ is not closed in a format; add }") }
                let field = String(scalars[..<end])
                scalars = scalars[(end + 1)...]
                let text = try formattedField(field, arguments, &nextIndex)
                try checkTextLength(result.utf8.count + text.utf8.count)
                result += text
                continue
            } else if scalar == "}" {
                throw failure("} closes no field of a format; write }} for a brace")
            }
            result.unicodeScalars.append(scalar)
        }
        return result
    }

    private mutating func formattedField(
        _ field: String, _ arguments: Arguments, _ nextIndex: inout Int
    ) throws(TemplateError) -> String {
        let parts = field.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let head = parts[0].split(separator: "!", maxSplits: 1, omittingEmptySubsequences: false)
        let value = try fieldValue(String(head[0]), arguments, &nextIndex)
        let specificationText = parts.count > 1 ? String(parts[1]) : ""
        guard var specification = FormatSpecification(specificationText) else {
            throw failure("the format \(specificationText) is not supported; use one like >8.2f")
        }
        var shown = value
        var text = try text(of: value)
        if head.count > 1 {
            text = head[1] == "r" ? try representation(of: value) : text
            shown = .string(text)
        } else if specification.type == nil, specification.precision != nil, case .float = value {
            specification.type = "?"
        }
        guard let result = specification.formatted(shown, text: text) else {
            throw failure("the format \(specificationText) cannot show a value of type \(value.typeName)")
        }
        return result
    }

    private mutating func fieldValue(
        _ name: String, _ arguments: Arguments, _ nextIndex: inout Int
    ) throws(TemplateError) -> TemplateValue {
        if name.isEmpty || name.unicodeScalars.allSatisfy(\.isASCIIDigit) {
            let index = name.isEmpty ? nextIndex : Int(name) ?? .max
            if name.isEmpty { nextIndex += 1 }
            guard index < arguments.positional.count else {
                throw failure("format has no value for place \(index); pass one")
            }
            return arguments.positional[index]
        }
        guard let found = arguments.keywords.last(where: { $0.name == name }) else {
            throw failure("format has no value named \(name.prefix(40)); pass one, attributes are not supported")
        }
        return found.value
    }
}
