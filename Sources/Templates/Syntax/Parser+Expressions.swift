extension Parser {
    /// Words that end an expression and so cannot start the argument of a test written without brackets.
    private static let wordsAfterTest: Set<String> = ["else", "or", "and", "is", "if", "in", "not"]

    mutating func parseExpression() throws(TemplateError) -> Expression {
        try enter()
        defer { leave() }
        var expression = try parseOr()
        while skipName("if") {
            let condition = try parseOr()
            let otherwise = skipName("else") ? try parseExpression() : nil
            expression = .conditional(condition: condition, then: expression, otherwise: otherwise)
            // Without this, `a if b if c if …` would nest without limit in a loop that does not recurse.
            if otherwise == nil, isName("if") { throw failure("write else before another if, or use brackets") }
        }
        return expression
    }

    private mutating func parseOr() throws(TemplateError) -> Expression {
        var operands = [try parseAnd()]
        while skipName("or") { operands.append(try parseAnd()) }
        return operands.count == 1 ? operands[0] : .or(operands)
    }

    private mutating func parseAnd() throws(TemplateError) -> Expression {
        var operands = [try parseNot()]
        while skipName("and") { operands.append(try parseNot()) }
        return operands.count == 1 ? operands[0] : .and(operands)
    }

    private mutating func parseNot() throws(TemplateError) -> Expression {
        guard skipName("not") else { return try parseComparison() }
        try enter()
        defer { leave() }
        return .prefix(.not, try parseNot())
    }

    private mutating func parseComparison() throws(TemplateError) -> Expression {
        let first = try parseBinary(precedence: 0)
        var rest: [(operation: ComparisonOperator, operand: Expression)] = []
        while let operation = takeComparisonOperator() {
            rest.append((operation, try parseBinary(precedence: 0)))
        }
        return rest.isEmpty ? first : .comparison(first, rest)
    }

    private mutating func takeComparisonOperator() -> ComparisonOperator? {
        switch current {
        case .symbol(let symbol):
            guard let operation = ComparisonOperator(rawValue: symbol) else { return nil }
            advance()
            return operation
        case .name("in"):
            advance()
            return .contained
        case .name("not") where following == .name("in"):
            advance()
            advance()
            return .notContained
        default: return nil
        }
    }

    /// Operators by precedence, the loosest first. All of them associate to the left, `**` too.
    private static let operators: [Set<String>] = [["+", "-"], ["~"], ["*", "/", "//", "%"], ["**"]]

    private mutating func parseBinary(precedence: Int) throws(TemplateError) -> Expression {
        guard precedence < Self.operators.count else { return try parseUnary(takesFilters: true) }
        let first = try parseBinary(precedence: precedence + 1)
        var rest: [(operation: BinaryOperator, operand: Expression)] = []
        while case .symbol(let symbol) = current, Self.operators[precedence].contains(symbol),
            let operation = BinaryOperator(rawValue: symbol)
        {
            advance()
            rest.append((operation, try parseBinary(precedence: precedence + 1)))
        }
        return rest.isEmpty ? first : .chain(first, rest)
    }

    private mutating func parseUnary(takesFilters: Bool) throws(TemplateError) -> Expression {
        var expression: Expression
        if isSymbol("-") || isSymbol("+") {
            let sign: PrefixOperator = isSymbol("-") ? .minus : .plus
            advance()
            try enter()
            defer { leave() }
            expression = .prefix(sign, try parseUnary(takesFilters: false))
        } else {
            expression = try parsePrimary()
        }
        var operations = try parsePostfix()
        if takesFilters { operations += try parseFiltersAndTests() }
        if !operations.isEmpty { expression = .postfix(expression, operations) }
        return expression
    }

    private mutating func parsePrimary() throws(TemplateError) -> Expression {
        switch current {
        case .name(let name):
            advance()
            switch name {
            case "true", "True": return .constant(.boolean(true))
            case "false", "False": return .constant(.boolean(false))
            case "none", "None": return .constant(.null)
            default:
                if name == "varargs" || name == "kwargs" { mentionedNames.insert(name) }
                return .name(name)
            }
        case .string:
            var text = ""
            while case .string(let part) = current {
                text += part
                advance()
            }
            return .constant(.string(text))
        case .integer(let value):
            advance()
            return .constant(.integer(value))
        case .float(let value):
            advance()
            return .constant(.float(value))
        case .symbol("("): return try parseParentheses()
        case .symbol("["): return try parseListLiteral()
        case .symbol("{"): return try parseDictionaryLiteral()
        default: throw unexpected("an expression")
        }
    }

    private mutating func parseParentheses() throws(TemplateError) -> Expression {
        advance()
        if skipSymbol(")") { return .tuple([]) }
        let expression = try parseTuple()
        try expectSymbol(")")
        return expression
    }

    /// One expression, or several with commas between or after them, which make a tuple.
    mutating func parseTuple(allowsConditional: Bool = true) throws(TemplateError) -> Expression {
        var elements = [allowsConditional ? try parseExpression() : try parseWithoutConditional()]
        var isTuple = false
        while skipSymbol(",") {
            isTuple = true
            if endsTuple { break }
            elements.append(allowsConditional ? try parseExpression() : try parseWithoutConditional())
        }
        return isTuple ? .tuple(elements) : elements[0]
    }

    private mutating func parseWithoutConditional() throws(TemplateError) -> Expression {
        try enter()
        defer { leave() }
        return try parseOr()
    }

    private var endsTuple: Bool {
        current == .blockEnd || current == .variableEnd || isSymbol(")") || isSymbol("]") || isSymbol("=")
    }

    private mutating func parseListLiteral() throws(TemplateError) -> Expression {
        advance()
        var elements: [Expression] = []
        while !skipSymbol("]") {
            if !elements.isEmpty {
                try expectSymbol(",")
                if skipSymbol("]") { break }
            }
            elements.append(try parseExpression())
        }
        return .list(elements)
    }

    private mutating func parseDictionaryLiteral() throws(TemplateError) -> Expression {
        advance()
        var entries: [(key: Expression, value: Expression)] = []
        while !skipSymbol("}") {
            if !entries.isEmpty {
                try expectSymbol(",")
                if skipSymbol("}") { break }
            }
            let key = try parseExpression()
            try expectSymbol(":")
            entries.append((key, try parseExpression()))
        }
        return .dictionary(entries)
    }

    private mutating func parsePostfix() throws(TemplateError) -> [PostfixOperation] {
        var operations: [PostfixOperation] = []
        while true {
            if skipSymbol(".") {
                switch current {
                case .name(let name): operations.append(.attribute(name))
                case .integer(let index): operations.append(.item(.constant(.integer(index))))
                default: throw unexpected("a name or index after the dot")
                }
                advance()
            } else if skipSymbol("[") {
                operations.append(try parseSubscript())
            } else if isSymbol("(") {
                operations.append(.call(try parseCallArguments()))
            } else {
                return operations
            }
        }
    }

    private mutating func parseSubscript() throws(TemplateError) -> PostfixOperation {
        var parts: [Expression?] = [nil]
        var elements: [Expression] = []
        while !skipSymbol("]") {
            if isSymbol(":"), elements.isEmpty, parts.count < 3 {
                advance()
                parts.append(nil)
            } else if parts.count == 1, parts[0] != nil, skipSymbol(",") {
                if let first = parts[0], elements.isEmpty { elements.append(first) }
                if !isSymbol("]") { elements.append(try parseExpression()) }
            } else if parts[parts.count - 1] == nil {
                parts[parts.count - 1] = try parseExpression()
            } else {
                throw unexpected("]")
            }
        }
        if !elements.isEmpty { return .item(.tuple(elements)) }
        if parts.count == 1 {
            guard let index = parts[0] else { throw failure("write an index between [ and ]") }
            return .item(index)
        }
        return .slice(start: parts[0], end: parts[1], step: parts.count > 2 ? parts[2] : nil)
    }

    mutating func parseCallArguments() throws(TemplateError) -> CallArguments {
        try expectSymbol("(")
        var arguments = CallArguments()
        var isFirst = true
        while !skipSymbol(")") {
            if !isFirst {
                try expectSymbol(",")
                if skipSymbol(")") { break }
            }
            isFirst = false
            if skipSymbol("**") {
                guard arguments.spreadMapping == nil else { throw failure("write ** only once in a call") }
                arguments.spreadMapping = try parseExpression()
            } else if skipSymbol("*") {
                guard arguments.spreadList == nil else { throw failure("write * only once in a call") }
                arguments.spreadList = try parseExpression()
            } else if case .name(let name) = current, following == .symbol("=") {
                advance()
                advance()
                arguments.keywords.append((name, try parseExpression()))
            } else {
                guard arguments.keywords.isEmpty, arguments.spreadMapping == nil else {
                    throw failure("write arguments without a name before those with one")
                }
                arguments.positional.append(try parseExpression())
            }
        }
        return arguments
    }

    private mutating func parseFiltersAndTests() throws(TemplateError) -> [PostfixOperation] {
        var operations: [PostfixOperation] = []
        while true {
            if skipSymbol("|") {
                operations.append(try parseFilter())
            } else if skipName("is") {
                operations.append(try parseTest())
            } else if isSymbol("("), !operations.isEmpty {
                operations.append(.call(try parseCallArguments()))
            } else {
                return operations
            }
        }
    }

    /// A filter's name and arguments, after the bar.
    mutating func parseFilter() throws(TemplateError) -> PostfixOperation {
        let name = try expectAnyName("a filter's name")
        return .filter(name, isSymbol("(") ? try parseCallArguments() : CallArguments())
    }

    private mutating func parseTest() throws(TemplateError) -> PostfixOperation {
        let isNegated = skipName("not")
        let name = try expectAnyName("a test's name")
        if isSymbol("(") { return .test(name, try parseCallArguments(), isNegated: isNegated) }
        var arguments = CallArguments()
        if startsTestArgument {
            try enter()
            defer { leave() }
            let primary = try parsePrimary()
            let operations = try parsePostfix()
            arguments.positional = [operations.isEmpty ? primary : .postfix(primary, operations)]
        }
        return .test(name, arguments, isNegated: isNegated)
    }

    private var startsTestArgument: Bool {
        switch current {
        case .name(let name): !Self.wordsAfterTest.contains(name)
        case .string, .integer, .float, .symbol("["), .symbol("{"): true
        default: false
        }
    }
}
