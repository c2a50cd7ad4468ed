extension Parser {
    private static let supportedTags =
        "for, if, set, macro, call, filter, with, raw, generation, break and continue"

    /// Statements up to a tag whose name is in `ends`, which becomes the current token; with no ends, up to the end of
    /// the source.
    mutating func parseBody(until ends: Set<String>) throws(TemplateError) -> [Statement] {
        try enter()
        defer { leave() }
        let start = line
        var body: [Statement] = []
        while true {
            let line = line
            switch current {
            case .data(let text):
                advance()
                body.append(Statement(line: line, kind: .text(text)))
            case .variableBegin:
                advance()
                let expression = try parseTuple()
                guard current == .variableEnd else { throw unexpected("}}") }
                advance()
                body.append(Statement(line: line, kind: .output(expression)))
            case .blockBegin:
                advance()
                guard case .name(let tag) = current else { throw unexpected("a tag's name") }
                if ends.contains(tag) { return body }
                advance()
                body.append(Statement(line: line, kind: try parseStatement(tag)))
                try expectBlockEnd()
            case .endOfSource:
                guard ends.isEmpty else {
                    throw .syntax(
                        line: start,
                        problem:
                            "a block that starts here is not closed; write \(ends.sorted().joined(separator: " or "))")
                }
                return body
            default: throw unexpected("text or a tag")
            }
        }
    }

    /// The statement whose tag's name was just read, up to the end of its last tag.
    private mutating func parseStatement(_ tag: String) throws(TemplateError) -> Statement.Kind {
        switch tag {
        case "for": return .loop(try parseFor())
        case "if": return try parseIf()
        case "set": return try parseSet()
        case "macro": return .macro(try parseMacro())
        case "call": return try parseCallBlock()
        case "filter":
            let filters = try parseFilterChain(startsWithBar: false)
            return .filterBlock(filters: filters, body: try parseBlock(end: "endfilter"))
        case "with": return try parseWith()
        case "generation":
            let outerLoopDepth = loopDepth
            loopDepth = 0
            defer { loopDepth = outerLoopDepth }
            return .scope(try parseBlock(end: "endgeneration"))
        case "break", "continue":
            guard loopDepth > 0 else { throw failure("\(tag) outside a loop; remove it") }
            return tag == "break" ? .breakLoop : .continueLoop
        default: throw failure("unknown tag \(tag); this interpreter knows \(Self.supportedTags)")
        }
    }

    /// The rest of an opening tag, a body, and the name of the tag that ends it.
    private mutating func parseBlock(end: String) throws(TemplateError) -> [Statement] {
        try expectBlockEnd()
        let body = try parseBody(until: [end])
        advance()
        return body
    }

    private mutating func parseFor() throws(TemplateError) -> ForLoop {
        let target = try parseTarget(allowsNamespace: false)
        try expectName("in")
        let sequence = try parseTuple(allowsConditional: false)
        let filter = skipName("if") ? try parseExpression() : nil
        if isName("recursive") { throw failure("recursive loops are not supported; use a macro that calls itself") }
        try expectBlockEnd()
        loopDepth += 1
        let body = try parseBody(until: ["endfor", "else"])
        loopDepth -= 1
        var otherwise: [Statement] = []
        if skipName("else") { otherwise = try parseBlock(end: "endfor") } else { advance() }
        return ForLoop(target: target, sequence: sequence, filter: filter, body: body, otherwise: otherwise)
    }

    private mutating func parseIf() throws(TemplateError) -> Statement.Kind {
        var branches: [(condition: Expression, body: [Statement])] = []
        repeat {
            let condition = try parseTuple(allowsConditional: false)
            try expectBlockEnd()
            branches.append((condition, try parseBody(until: ["elif", "else", "endif"])))
        } while skipName("elif")
        var otherwise: [Statement] = []
        if skipName("else") { otherwise = try parseBlock(end: "endif") } else { advance() }
        return .condition(branches: branches, otherwise: otherwise)
    }

    private mutating func parseSet() throws(TemplateError) -> Statement.Kind {
        let target = try parseTarget(allowsNamespace: true)
        if skipSymbol("=") { return .assignment(target, try parseTuple()) }
        let filters = try parseFilterChain(startsWithBar: true)
        return .blockAssignment(target, filters: filters, body: try parseBlock(end: "endset"))
    }

    private mutating func parseTarget(allowsNamespace: Bool) throws(TemplateError) -> AssignmentTarget {
        var targets = [try parseSingleTarget(allowsNamespace: allowsNamespace)]
        var isTuple = false
        while skipSymbol(",") {
            isTuple = true
            if isName("in") || isSymbol("=") || isSymbol(")") { break }
            targets.append(try parseSingleTarget(allowsNamespace: allowsNamespace))
        }
        return isTuple ? .tuple(targets) : targets[0]
    }

    private mutating func parseSingleTarget(allowsNamespace: Bool) throws(TemplateError) -> AssignmentTarget {
        if skipSymbol("(") {
            try enter()
            defer { leave() }
            let target = try parseTarget(allowsNamespace: allowsNamespace)
            try expectSymbol(")")
            return target
        }
        let name = try expectAnyName("a variable's name")
        guard !["true", "True", "false", "False", "none", "None"].contains(name) else {
            throw failure("\(name) cannot be assigned to; use another name")
        }
        guard allowsNamespace, skipSymbol(".") else { return .name(name) }
        return .attribute(namespace: name, name: try expectAnyName("an attribute's name"))
    }

    /// Filters with bars between them; `startsWithBar` if there is one before the first, too, or no filter at all.
    private mutating func parseFilterChain(startsWithBar: Bool) throws(TemplateError) -> [PostfixOperation] {
        var filters: [PostfixOperation] = []
        if !startsWithBar { filters.append(try parseFilter()) }
        while skipSymbol("|") { filters.append(try parseFilter()) }
        return filters
    }

    private mutating func parseParameters() throws(TemplateError) -> [(name: String, defaultValue: Expression?)] {
        var parameters: [(name: String, defaultValue: Expression?)] = []
        try expectSymbol("(")
        while !skipSymbol(")") {
            if !parameters.isEmpty {
                try expectSymbol(",")
                if skipSymbol(")") { break }
            }
            let name = try expectAnyName("a parameter's name")
            let defaultValue = skipSymbol("=") ? try parseExpression() : nil
            if defaultValue == nil, parameters.last?.defaultValue != nil {
                throw failure("parameter \(name) has no default but follows one that has; give it one")
            }
            parameters.append((name, defaultValue))
        }
        return parameters
    }

    private mutating func parseMacro() throws(TemplateError) -> MacroDefinition {
        try parseMacroBody(
            name: try expectAnyName("a macro's name"), parameters: try parseParameters(), end: "endmacro")
    }

    private mutating func parseMacroBody(
        name: String, parameters: [(name: String, defaultValue: Expression?)], end: String
    ) throws(TemplateError) -> MacroDefinition {
        let outer = (loopDepth, mentionedNames)
        (loopDepth, mentionedNames) = (0, [])
        defer { (loopDepth, mentionedNames) = outer }
        let body = try parseBlock(end: end)
        return MacroDefinition(
            name: name, parameters: parameters, body: body, usesExtraArguments: mentionedNames.contains("varargs"),
            usesExtraKeywords: mentionedNames.contains("kwargs"))
    }

    private mutating func parseCallBlock() throws(TemplateError) -> Statement.Kind {
        let parameters = isSymbol("(") ? try parseParameters() : []
        let call = try parseExpression()
        guard case .postfix(_, let operations) = call, case .call = operations.last else {
            throw failure("a call block needs a call; write {% call name(…) %}")
        }
        return .callBlock(
            call: call, caller: try parseMacroBody(name: "caller", parameters: parameters, end: "endcall"))
    }

    private mutating func parseWith() throws(TemplateError) -> Statement.Kind {
        var assignments: [(target: AssignmentTarget, value: Expression)] = []
        while current != .blockEnd {
            if !assignments.isEmpty { try expectSymbol(",") }
            let target = try parseSingleTarget(allowsNamespace: false)
            try expectSymbol("=")
            assignments.append((target, try parseExpression()))
        }
        return .with(assignments: assignments, body: try parseBlock(end: "endwith"))
    }
}
