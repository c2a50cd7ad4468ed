extension Renderer {
    mutating func evaluate(_ expression: Expression) throws(TemplateError) -> TemplateValue {
        try spend()
        if case .constant(let value) = expression { return value }
        if case .name(let name) = expression { return lookUp(name) }
        try enter()
        defer { leave() }
        // Macros call each other through postfix operations; their own way there, and a function for each case below,
        // keep the stack that a level takes small.
        if case .postfix(let base, let operations) = expression { return try evaluatePostfix(base, operations) }
        return try evaluateOperation(expression)
    }

    private mutating func evaluateOperation(_ expression: Expression) throws(TemplateError) -> TemplateValue {
        switch expression {
        case .chain(let first, let rest): return try evaluateChain(first, rest)
        case .comparison(let first, let rest): return try evaluateComparison(first, rest)
        case .and(let operands): return try evaluateUntil(false, operands)
        case .or(let operands): return try evaluateUntil(true, operands)
        case .conditional(let condition, let then, let otherwise):
            return try evaluateConditional(condition, then, otherwise)
        case .prefix(let operation, let operand): return try evaluatePrefix(operation, operand)
        case .list(let elements): return try evaluateList(elements, isTuple: false)
        case .tuple(let elements): return try evaluateList(elements, isTuple: true)
        case .dictionary(let entries): return try evaluateDictionary(entries)
        case .constant, .name, .postfix: return try evaluate(expression)
        }
    }

    private mutating func evaluatePrefix(
        _ operation: PrefixOperator, _ operand: Expression
    ) throws(TemplateError) -> TemplateValue {
        let value = try evaluate(operand)
        if operation == .not { return .boolean(!value.isTrue) }
        return operation == .minus ? try negated(value) : try positive(value)
    }

    private mutating func evaluateList(_ elements: [Expression], isTuple: Bool) throws(TemplateError) -> TemplateValue {
        let values = try evaluate(all: elements)
        return isTuple ? try tuple(values) : try list(values)
    }

    private mutating func evaluate(all expressions: [Expression]) throws(TemplateError) -> [TemplateValue] {
        var values: [TemplateValue] = []
        for expression in expressions { values.append(try evaluate(expression)) }
        return values
    }

    private mutating func evaluateDictionary(
        _ entries: [(key: Expression, value: Expression)]
    ) throws(TemplateError) -> TemplateValue {
        var result = TemplateMapping()
        for entry in entries {
            let key = try key(try evaluate(entry.key))
            result[key] = try evaluate(entry.value)
        }
        return try mapping(result)
    }

    func key(_ value: TemplateValue) throws(TemplateError) -> TemplateKey {
        guard let key = TemplateKey(value) else {
            throw failure("a value of type \(value.typeName) cannot be a key of a mapping; use a string or number")
        }
        return key
    }

    private mutating func evaluateChain(
        _ first: Expression, _ rest: [(operation: BinaryOperator, operand: Expression)]
    ) throws(TemplateError) -> TemplateValue {
        var value = try evaluate(first)
        for (operation, operand) in rest {
            value = try combine(value, operation, try evaluate(operand))
        }
        return value
    }

    private mutating func evaluateComparison(
        _ first: Expression, _ rest: [(operation: ComparisonOperator, operand: Expression)]
    ) throws(TemplateError) -> TemplateValue {
        var left = try evaluate(first)
        for (operation, operand) in rest {
            let right = try evaluate(operand)
            guard try compare(left, operation, right) else { return .boolean(false) }
            left = right
        }
        return .boolean(true)
    }

    /// Python's `or` and `and`: the first operand with the truth sought, else the last.
    private mutating func evaluateUntil(_ truth: Bool, _ operands: [Expression]) throws(TemplateError) -> TemplateValue
    {
        var value = TemplateValue.null
        for operand in operands {
            value = try evaluate(operand)
            if value.isTrue == truth { return value }
        }
        return value
    }

    private mutating func evaluateConditional(
        _ condition: Expression, _ then: Expression, _ otherwise: Expression?
    ) throws(TemplateError) -> TemplateValue {
        if try evaluate(condition).isTrue { return try evaluate(then) }
        guard let otherwise else {
            return .undefined("the inline if-expression evaluated to false and no else section was defined")
        }
        return try evaluate(otherwise)
    }

    private mutating func evaluatePostfix(
        _ base: Expression, _ operations: [PostfixOperation]
    ) throws(TemplateError) -> TemplateValue {
        var value = try evaluate(base)
        for operation in operations {
            try spend()
            value = try apply(operation, to: value)
        }
        return value
    }

    mutating func apply(_ operation: PostfixOperation, to value: TemplateValue) throws(TemplateError) -> TemplateValue {
        if case .call(let expressions) = operation { return try invoke(value, try evaluate(expressions)) }
        return try applyWithoutCall(operation, to: value)
    }

    private mutating func applyWithoutCall(
        _ operation: PostfixOperation, to value: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        switch operation {
        case .attribute(let name): return try attribute(name, of: value)
        case .item(let index): return try item(try evaluate(index), of: value)
        case .slice(let start, let end, let step): return try applySlice(start, end, step, to: value)
        case .call(let expressions): return try invoke(value, try evaluate(expressions))
        case .filter(let name, let expressions): return try filter(value, name, try evaluate(expressions))
        case .test(let name, let expressions, let isNegated):
            return .boolean(try test(value, name, try evaluate(expressions)) != isNegated)
        }
    }

    private mutating func applySlice(
        _ start: Expression?, _ end: Expression?, _ step: Expression?, to value: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        let start = try evaluateBound(start)
        let end = try evaluateBound(end)
        return try slice(value, start, end, try evaluateBound(step))
    }

    private mutating func evaluateBound(_ expression: Expression?) throws(TemplateError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        switch value {
        case .null: return nil
        case .integer(let bound): return bound
        case .boolean(let bound): return bound ? 1 : 0
        default: throw failure("a slice bound is of type \(value.typeName); use an integer")
        }
    }

    mutating func evaluate(_ expressions: CallArguments) throws(TemplateError) -> Arguments {
        var arguments = Arguments()
        if expressions.positional.isEmpty, expressions.keywords.isEmpty, expressions.spreadList == nil,
            expressions.spreadMapping == nil
        {
            return arguments
        }
        arguments.positional = try evaluate(all: expressions.positional)
        for (name, expression) in expressions.keywords {
            arguments.keywords.append((name, try evaluate(expression)))
        }
        if let spread = expressions.spreadList {
            arguments.positional += try elements(of: try evaluate(spread))
        }
        if let spread = expressions.spreadMapping {
            guard case .mapping(let mapping) = try evaluate(spread) else {
                throw failure("the argument after ** must be a mapping")
            }
            try spend(mapping.entries.count)
            for entry in mapping.entries {
                guard case .string(let name) = entry.key else {
                    throw failure("keys of the mapping after ** must be strings")
                }
                arguments.keywords.append((name, entry.value))
            }
        }
        return arguments
    }
}
