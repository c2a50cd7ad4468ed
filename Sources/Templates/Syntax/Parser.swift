/// Turns tokens into statements. Recursive descent; `depth` bounds the recursion.
struct Parser {
    private let tokens: [Token]
    private var index = 0
    private var depth = 0
    private let maximumDepth: Int
    /// Loops around the current statement, within the innermost macro; `break` and `continue` need one.
    var loopDepth = 0
    /// Names that the innermost macro body mentions, of those that change what a macro accepts.
    var mentionedNames: Set<String> = []

    init(tokens: [Token], maximumDepth: Int) {
        self.tokens = tokens
        self.maximumDepth = maximumDepth
    }

    static func statements(of source: String, limits: TemplateLimits) throws(TemplateError) -> [Statement] {
        guard source.utf8.count <= limits.sourceByteCount else {
            throw .limit(
                line: 1,
                problem:
                    "the template has \(source.utf8.count) bytes and at most \(limits.sourceByteCount) are allowed; "
                    + "shorten it")
        }
        var parser = Parser(tokens: try Lexer.tokens(of: source), maximumDepth: limits.syntaxDepth)
        let body = try parser.parseBody(until: [])
        return body
    }

    var current: Token.Kind {
        tokens[index].kind
    }

    var following: Token.Kind {
        index + 1 < tokens.count ? tokens[index + 1].kind : .endOfSource
    }

    var line: Int {
        tokens[index].line
    }

    mutating func advance() {
        if index + 1 < tokens.count { index += 1 }
    }

    func failure(_ problem: String) -> TemplateError {
        .syntax(line: line, problem: problem)
    }

    func unexpected(_ wanted: String) -> TemplateError {
        failure("found \(current.text) where \(wanted) should be")
    }

    func isName(_ name: String) -> Bool {
        current == .name(name)
    }

    func isSymbol(_ symbol: String) -> Bool {
        current == .symbol(symbol)
    }

    mutating func skipName(_ name: String) -> Bool {
        guard isName(name) else { return false }
        advance()
        return true
    }

    mutating func skipSymbol(_ symbol: String) -> Bool {
        guard isSymbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func expectSymbol(_ symbol: String) throws(TemplateError) {
        guard skipSymbol(symbol) else { throw unexpected(symbol) }
    }

    mutating func expectName(_ name: String) throws(TemplateError) {
        guard skipName(name) else { throw unexpected(name) }
    }

    mutating func expectAnyName(_ wanted: String) throws(TemplateError) -> String {
        guard case .name(let name) = current else { throw unexpected(wanted) }
        advance()
        return name
    }

    mutating func expectBlockEnd() throws(TemplateError) {
        guard current == .blockEnd else { throw unexpected("%}") }
        advance()
    }

    /// Every construct that can contain itself is parsed between `enter` and `leave`.
    mutating func enter() throws(TemplateError) {
        depth += 1
        guard depth <= maximumDepth else {
            throw .limit(
                line: line,
                problem: "blocks or brackets are nested more than \(maximumDepth) deep; simplify the template")
        }
    }

    mutating func leave() {
        depth -= 1
    }
}
