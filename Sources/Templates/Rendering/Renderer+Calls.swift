extension Renderer {
    mutating func invoke(_ callee: TemplateValue, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
        if let index = callee.macroIndex { return try invokeMacro(index, arguments) }
        return try invokeBuiltIn(callee, arguments)
    }

    private mutating func invokeBuiltIn(
        _ callee: TemplateValue, _ arguments: Arguments
    ) throws(TemplateError) -> TemplateValue {
        if case .undefined(let problem) = callee {
            throw failure("\(problem), so it cannot be called; check its name")
        }
        if case .object(let object) = callee {
            switch object.kind {
            case .function(let function): return try invoke(function, arguments)
            case .method(let receiver, let name): return try invoke(name, of: receiver, arguments)
            case .macro(let index): return try invokeMacro(index, arguments)
            case .joiner(let index): return invokeJoiner(index)
            case .namespace, .loop, .cycler: break
            }
        }
        throw failure("a value of type \(callee.typeName) cannot be called; remove the brackets after it")
    }

    private mutating func invoke(
        _ name: String, of receiver: TemplateValue, _ arguments: Arguments
    ) throws(TemplateError) -> TemplateValue {
        if case .object(let object) = receiver {
            switch object.kind {
            case .loop(let serial): return try invokeLoopMethod(name, serial: serial, arguments)
            case .cycler(let index): return invokeCycler(name, index)
            default: break
            }
        }
        guard let method = Methods.find(name, for: receiver) else {
            throw failure("a value of type \(receiver.typeName) has no method \(name)")
        }
        return try method(receiver, arguments, &self)
    }

    private mutating func invokeLoopMethod(
        _ name: String, serial: Int, _ arguments: Arguments
    ) throws(TemplateError) -> TemplateValue {
        guard let position = loops.lastIndex(where: { $0.serial == serial }) else {
            throw failure("loop.\(name) is called after its loop has ended; call it inside")
        }
        if name == "cycle" {
            guard !arguments.positional.isEmpty else { throw failure("loop.cycle needs values; give at least one") }
            return arguments.positional[loops[position].index % arguments.positional.count]
        }
        let previous = loops[position].lastChecked
        loops[position].lastChecked = arguments.positional
        guard let previous else { return .boolean(true) }
        return .boolean(!(try isEqual(previous, arguments.positional)))
    }

    private mutating func invokeCycler(_ name: String, _ index: Int) -> TemplateValue {
        if name == "reset" {
            cyclers[index].index = 0
            return .null
        }
        let value = cyclers[index].items[cyclers[index].index]
        cyclers[index].index = (cyclers[index].index + 1) % cyclers[index].items.count
        return value
    }

    private mutating func invokeJoiner(_ index: Int) -> TemplateValue {
        defer { joiners[index].isUsed = true }
        return joiners[index].isUsed ? joiners[index].separator : .string("")
    }

    private mutating func invokeMacro(_ index: Int, _ arguments: Arguments) throws(TemplateError) -> TemplateValue {
        let macro = macros[index]
        try enter()
        let outer = (scope: scope, line: line)
        scope = Scope(parent: macro.scope)
        defer {
            (scope, line) = outer
            leave()
        }
        try bind(arguments, to: macro.definition)
        return .string(try capture(macro.definition.body))
    }

    /// Sets a macro's parameters in the current scope. Defaults are evaluated there, after the parameters before them.
    private mutating func bind(_ arguments: Arguments, to macro: MacroDefinition) throws(TemplateError) {
        let given = try bindExtras(arguments, to: macro)
        for (index, parameter) in macro.parameters.enumerated() {
            if index < arguments.positional.count {
                scope.set(parameter.name, to: arguments.positional[index])
            } else if let value = given[parameter.name] {
                scope.set(parameter.name, to: value)
            } else {
                try bindDefault(of: parameter)
            }
        }
    }

    private mutating func bindDefault(
        of parameter: (name: String, defaultValue: Expression?)
    ) throws(TemplateError) {
        guard let defaultValue = parameter.defaultValue else {
            return scope.set(parameter.name, to: .undefined("parameter '\(parameter.name)' was not provided"))
        }
        scope.set(parameter.name, to: try evaluate(defaultValue))
    }

    /// Sets `caller`, `varargs` and `kwargs`; gives back the parameters that are given by name.
    private mutating func bindExtras(
        _ arguments: Arguments, to macro: MacroDefinition
    ) throws(TemplateError) -> [String: TemplateValue] {
        let parameters = macro.parameters
        if arguments.positional.count > parameters.count, !macro.usesExtraArguments {
            throw failure(
                "macro \(macro.name) takes at most \(parameters.count) arguments, not \(arguments.positional.count)")
        }
        if macro.usesExtraArguments {
            scope.set("varargs", to: try tuple(Array(arguments.positional.dropFirst(parameters.count))))
        }
        var extraKeywords = TemplateMapping()
        var given: [String: TemplateValue] = [:]
        for (name, value) in arguments.keywords {
            if name == "caller" {
                scope.set(name, to: value)
            } else if let index = parameters.firstIndex(where: { $0.name == name }) {
                guard index >= arguments.positional.count else {
                    throw failure("macro \(macro.name) is given \(name) twice; give it once")
                }
                given[name] = value
            } else if macro.usesExtraKeywords {
                extraKeywords[name] = value
            } else {
                throw failure("macro \(macro.name) has no parameter \(name); remove the argument")
            }
        }
        if macro.usesExtraKeywords { scope.set("kwargs", to: try mapping(extraKeywords)) }
        return given
    }
}

extension TemplateValue {
    fileprivate var macroIndex: Int? {
        if case .object(let object) = self, case .macro(let index) = object.kind { index } else { nil }
    }
}
