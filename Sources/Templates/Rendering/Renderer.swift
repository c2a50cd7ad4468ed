/// One run of a template: its variables, its output so far, and what it may still spend.
///
/// Namespaces, macros and joiners live in arrays here and values refer to them by number, so no value can own itself.
struct Renderer {
    let context: TemplateMapping
    let limits: TemplateLimits
    let secondsSince1970: Int64?
    var scope = Scope(parent: nil)
    var output = ""
    /// The line of the statement being rendered.
    var line = 1
    private var remainingSteps: Int
    private var depth = 0

    var namespaces: [TemplateMapping] = []
    var macros: [MacroClosure] = []
    var loops: [LoopState] = []
    var loopCount = 0
    var cyclers: [Cycler] = []
    var joiners: [Joiner] = []

    /// A macro together with the variables it was defined among.
    struct MacroClosure {
        let definition: MacroDefinition
        let scope: Scope
    }

    /// A running loop. Loops that have ended are forgotten; `serial` tells them from later ones.
    struct LoopState {
        let serial: Int
        let items: [TemplateValue]
        var index = 0
        /// What `loop.changed` was last asked about.
        var lastChecked: [TemplateValue]?
    }

    struct Cycler {
        let items: [TemplateValue]
        var index = 0
    }

    struct Joiner {
        let separator: TemplateValue
        var isUsed = false
    }

    init(context: TemplateMapping, limits: TemplateLimits, secondsSince1970: Int64?) {
        self.context = context
        self.limits = limits
        self.secondsSince1970 = secondsSince1970
        remainingSteps = limits.stepCount
    }

    mutating func renderTemplate(_ statements: [Statement]) throws(TemplateError) -> String {
        _ = try render(statements)
        return output
    }

    func failure(_ problem: String) -> TemplateError {
        .evaluation(line: line, problem: problem)
    }

    func limitFailure(_ problem: String) -> TemplateError {
        .limit(line: line, problem: problem)
    }

    /// Takes steps from what the run may spend.
    mutating func spend(_ stepCount: Int = 1) throws(TemplateError) {
        guard stepCount <= remainingSteps else {
            throw limitFailure(
                "rendering takes more than \(limits.stepCount) steps; shorten its loops or the conversation")
        }
        remainingSteps -= stepCount
    }

    /// Takes the steps for making or searching text.
    mutating func spend(byteCount: Int) throws(TemplateError) {
        try spend(byteCount / 32 + 1)
    }

    /// Every evaluation that can contain itself happens between `enter` and `leave`.
    mutating func enter() throws(TemplateError) {
        depth += 1
        guard depth <= limits.evaluationDepth else {
            throw limitFailure(
                "expressions and macro calls are nested more than \(limits.evaluationDepth) deep; check the recursion")
        }
    }

    mutating func leave() {
        depth -= 1
    }

    mutating func write(_ text: String) throws(TemplateError) {
        try spend(byteCount: text.utf8.count)
        guard output.utf8.count + text.utf8.count <= limits.outputByteCount else {
            throw limitFailure("the rendered text exceeds \(limits.outputByteCount) bytes; shorten the conversation")
        }
        output += text
    }

    /// A list of elements already paid for.
    func list(_ elements: [TemplateValue]) throws(TemplateError) -> TemplateValue {
        .list(try checked(TemplateList(elements)))
    }

    func tuple(_ elements: [TemplateValue]) throws(TemplateError) -> TemplateValue {
        .tuple(try checked(TemplateList(elements)))
    }

    func mapping(_ mapping: TemplateMapping) throws(TemplateError) -> TemplateValue {
        guard mapping.depth <= limits.valueDepth else { throw valueDepthFailure }
        return .mapping(mapping)
    }

    private func checked(_ list: TemplateList) throws(TemplateError) -> TemplateList {
        guard list.depth <= limits.valueDepth else { throw valueDepthFailure }
        return list
    }

    private var valueDepthFailure: TemplateError {
        limitFailure("lists and mappings are nested more than \(limits.valueDepth) deep; flatten them")
    }

    /// Text made from parts of other text, paid for here.
    mutating func string(_ text: String) throws(TemplateError) -> TemplateValue {
        try spend(byteCount: text.utf8.count)
        return .string(text)
    }

    /// The elements that a loop over the value visits, paid for here: characters of a string, keys of a mapping.
    mutating func elements(of value: TemplateValue) throws(TemplateError) -> [TemplateValue] {
        switch value {
        case .undefined: return []
        case .list(let list), .tuple(let list):
            try spend(list.elements.count)
            return list.elements
        case .mapping(let mapping):
            try spend(mapping.entries.count)
            return mapping.entries.map(\.key.value)
        case .string(let text):
            try spend(text.utf8.count)
            return text.unicodeScalars.map { .string(String($0)) }
        default: throw failure("a value of type \(value.typeName) cannot be looped over; use a list, mapping or string")
        }
    }

    func lookUp(_ name: String) -> TemplateValue {
        if let value = scope.lookUp(name) { return value }
        if let value = context[name] { return value }
        if let function = GlobalFunction(rawValue: name) { return .object(TemplateObject(.function(function))) }
        return .undefined("'\(name)' is undefined")
    }
}
