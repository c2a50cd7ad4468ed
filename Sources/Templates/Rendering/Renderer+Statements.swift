/// How a body ended: by itself, or by a loop control that the loop around it acts on.
enum BodyEnd {
    case normal, breakLoop, continueLoop
}

extension Renderer {
    mutating func render(_ body: [Statement]) throws(TemplateError) -> BodyEnd {
        try enter()
        defer { leave() }
        for statement in body {
            line = statement.line
            try spend()
            let end = try render(statement)
            if end != .normal { return end }
        }
        return .normal
    }

    private mutating func render(_ statement: Statement) throws(TemplateError) -> BodyEnd {
        // As with expressions, the commonest come first to keep their stack frames small.
        if case .output(let expression) = statement.kind {
            try write(try text(of: try evaluate(expression)))
            return .normal
        }
        if case .condition(let branches, let otherwise) = statement.kind {
            return try renderCondition(branches, otherwise)
        }
        if case .loop(let loop) = statement.kind { return try renderLoop(loop) }
        return try renderOther(statement)
    }

    private mutating func renderOther(_ statement: Statement) throws(TemplateError) -> BodyEnd {
        switch statement.kind {
        case .output, .condition, .loop: return try render(statement)
        case .text(let text): try write(text)
        case .assignment(let target, let expression): try assign(try evaluate(expression), to: target)
        case .blockAssignment(let target, let filters, let body):
            try assign(try renderFiltered(body, filters), to: target)
        case .macro(let definition):
            scope.set(definition.name, to: try close(definition))
        case .callBlock(let call, let caller): try renderCallBlock(call, caller)
        case .filterBlock(let filters, let body):
            try write(try text(of: try renderFiltered(body, filters)))
        case .with(let assignments, let body): return try renderWith(assignments, body)
        case .scope(let body): return try renderInScope(body)
        case .breakLoop: return .breakLoop
        case .continueLoop: return .continueLoop
        }
        return .normal
    }

    private mutating func renderCondition(
        _ branches: [(condition: Expression, body: [Statement])], _ otherwise: [Statement]
    ) throws(TemplateError) -> BodyEnd {
        for branch in branches where try evaluate(branch.condition).isTrue { return try render(branch.body) }
        return try render(otherwise)
    }

    private mutating func renderInScope(_ body: [Statement]) throws(TemplateError) -> BodyEnd {
        let outer = scope
        scope = Scope(parent: outer)
        defer { scope = outer }
        return try render(body)
    }

    private mutating func renderWith(
        _ assignments: [(target: AssignmentTarget, value: Expression)], _ body: [Statement]
    ) throws(TemplateError) -> BodyEnd {
        let outer = scope
        let inner = Scope(parent: outer)
        defer { scope = outer }
        for assignment in assignments {
            let value = try evaluate(assignment.value)
            scope = inner
            try assign(value, to: assignment.target)
            scope = outer
        }
        scope = inner
        return try render(body)
    }

    private mutating func renderLoop(_ loop: ForLoop) throws(TemplateError) -> BodyEnd {
        let outer = scope
        defer { scope = outer }
        var items = try elements(of: try evaluate(loop.sequence))
        if let filter = loop.filter {
            var kept: [TemplateValue] = []
            for item in items {
                scope = Scope(parent: outer)
                try assign(item, to: loop.target)
                if try evaluate(filter).isTrue { kept.append(item) }
            }
            items = kept
        }
        if items.isEmpty {
            scope = Scope(parent: outer)
            return try render(loop.otherwise)
        }
        loopCount += 1
        let handle = TemplateValue.object(TemplateObject(.loop(serial: loopCount)))
        loops.append(LoopState(serial: loopCount, items: items))
        defer { loops.removeLast() }
        for (index, item) in items.enumerated() {
            loops[loops.count - 1].index = index
            scope = Scope(parent: outer)
            scope.set("loop", to: handle)
            try assign(item, to: loop.target)
            if try render(loop.body) == .breakLoop { break }
        }
        return .normal
    }

    private mutating func assign(_ value: TemplateValue, to target: AssignmentTarget) throws(TemplateError) {
        switch target {
        case .name(let name): scope.set(name, to: value)
        case .attribute(let name, let attribute):
            guard case .object(let object) = lookUp(name), case .namespace(let index) = object.kind else {
                throw failure(
                    "\(name) is not a namespace, so \(name).\(attribute) cannot be set; make it with namespace()")
            }
            namespaces[index][attribute] = value
        case .tuple(let targets):
            let values = try elements(of: value)
            guard values.count == targets.count else {
                throw failure(
                    "\(values.count) values cannot be unpacked into \(targets.count) names; match their numbers")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target) }
        }
    }

    /// What a body writes, as text of its own.
    mutating func capture(_ body: [Statement]) throws(TemplateError) -> String {
        var outer = ""
        swap(&outer, &output)
        defer { output = outer }
        _ = try render(body)
        return output
    }

    private mutating func renderFiltered(
        _ body: [Statement], _ filters: [PostfixOperation]
    ) throws(TemplateError) -> TemplateValue {
        let outer = scope
        scope = Scope(parent: outer)
        defer { scope = outer }
        var value = TemplateValue.string(try capture(body))
        for filter in filters { value = try apply(filter, to: value) }
        return value
    }

    private mutating func close(_ definition: MacroDefinition) throws(TemplateError) -> TemplateValue {
        // A closure keeps its scope until the run ends, so it costs what a scope holds.
        try spend(20)
        macros.append(MacroClosure(definition: definition, scope: scope))
        return .object(TemplateObject(.macro(macros.count - 1)))
    }

    private mutating func renderCallBlock(_ call: Expression, _ caller: MacroDefinition) throws(TemplateError) {
        guard case .postfix(let base, var operations) = call, case .call(let expressions) = operations.popLast() else {
            throw failure("a call block needs a call; write {% call name(…) %}")
        }
        let handle = try close(caller)
        var callee = try evaluate(base)
        for operation in operations { callee = try apply(operation, to: callee) }
        var arguments = try evaluate(expressions)
        arguments.keywords.append((name: "caller", value: handle))
        try write(try text(of: try invoke(callee, arguments)))
    }
}
