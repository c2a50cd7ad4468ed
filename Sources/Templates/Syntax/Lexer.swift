/// Cuts a template's source into tokens, applying whitespace control as Jinja2 does with `trim_blocks` and
/// `lstrip_blocks` on (and `keep_trailing_newline` off), the settings that chat templates are written for.
struct Lexer {
    let source: [Unicode.Scalar]
    var position = 0
    var line = 1
    /// Whether what was read last ended with a newline, so that the next text starts a line.
    var isAtLineStart = true
    var tokens: [Token] = []

    private enum Sign {
        case none, minus, plus
    }

    private enum Tag {
        case variable, block, comment
    }

    init(_ text: String) {
        var scalars: [Unicode.Scalar] = []
        var previous: Unicode.Scalar = " "
        for scalar in text.unicodeScalars {
            if scalar == "\n", previous == "\r" {
                previous = scalar
                continue
            }
            scalars.append(scalar == "\r" ? "\n" : scalar)
            previous = scalar
        }
        if scalars.last == "\n" { scalars.removeLast() }
        source = scalars
    }

    /// All tokens, the last one being the end of the source.
    static func tokens(of text: String) throws(TemplateError) -> [Token] {
        var lexer = Lexer(text)
        while lexer.position < lexer.source.count { try lexer.readTextAndTag() }
        lexer.append(.endOfSource)
        return lexer.tokens
    }

    mutating func append(_ kind: Token.Kind) {
        tokens.append(Token(kind: kind, line: line))
    }

    func scalar(at index: Int) -> Unicode.Scalar? {
        index < source.count ? source[index] : nil
    }

    /// Moves on to `end`, counting lines.
    mutating func advance(to end: Int) {
        guard end > position else { return }
        for index in position..<end where source[index] == "\n" { line += 1 }
        isAtLineStart = source[end - 1] == "\n"
        position = end
    }

    private mutating func readTextAndTag() throws(TemplateError) {
        let start = position
        var index = start
        var found: Tag?
        while index + 1 < source.count {
            if source[index] == "{" {
                switch source[index + 1] {
                case "{": found = .variable
                case "%": found = .block
                case "#": found = .comment
                default: break
                }
                if found != nil { break }
            }
            index += 1
        }
        guard let tag = found else {
            appendData(source[start...])
            advance(to: source.count)
            return
        }
        let sign = sign(at: index + 2)
        appendData(strippedText(start..<index, sign: sign, tag: tag))
        let contentStart = index + (sign == .none ? 2 : 3)
        if tag == .block, let bodyStart = rawBodyStart(from: contentStart) {
            advance(to: bodyStart)
            return try readRawBody()
        }
        advance(to: contentStart)
        switch tag {
        case .comment: try skipComment()
        case .variable:
            append(.variableBegin)
            try readTag(isBlock: false)
        case .block:
            append(.blockBegin)
            try readTag(isBlock: true)
        }
    }

    private func sign(at index: Int) -> Sign {
        switch scalar(at: index) {
        case "-": .minus
        case "+": .plus
        default: .none
        }
    }

    private mutating func appendData(_ text: ArraySlice<Unicode.Scalar>) {
        if !text.isEmpty { append(.data(String(text))) }
    }

    /// The text before a tag without the whitespace that the tag's sign or `lstrip_blocks` takes away.
    private func strippedText(_ range: Range<Int>, sign: Sign, tag: Tag) -> ArraySlice<Unicode.Scalar> {
        var end = range.upperBound
        while end > range.lowerBound, source[end - 1].isPythonWhitespace {
            if sign != .minus, source[end - 1] == "\n" { break }
            end -= 1
        }
        switch sign {
        case .minus: return source[range.lowerBound..<end]
        case .plus: return source[range]
        case .none:
            let startsLine = end > range.lowerBound ? source[end - 1] == "\n" : isAtLineStart
            return source[tag != .variable && startsLine ? range.lowerBound..<end : range]
        }
    }

    private func skippingWhitespace(from start: Int) -> Int {
        var index = start
        while let scalar = scalar(at: index), scalar.isPythonWhitespace { index += 1 }
        return index
    }

    private func matches(_ text: String, at index: Int) -> Bool {
        var index = index
        for expected in text.unicodeScalars {
            guard scalar(at: index) == expected else { return false }
            index += 1
        }
        return true
    }

    private mutating func skipComment() throws(TemplateError) {
        let start = position
        var index = start
        while !matches("#}", at: index) {
            guard index < source.count else {
                throw .syntax(line: line, problem: "a comment is not closed; end it with #}")
            }
            index += 1
        }
        let end = index + 2
        let last = index > start ? source[index - 1] : nil
        advance(to: end)
        switch last {
        case "-": advance(to: skippingWhitespace(from: end))
        case "+": break
        default: if scalar(at: end) == "\n" { advance(to: end + 1) }
        }
    }

    /// Where the text of a `raw` block starts, if the tag whose content starts here is one.
    private func rawBodyStart(from start: Int) -> Int? {
        let word = skippingWhitespace(from: start)
        guard matches("raw", at: word) else { return nil }
        let end = skippingWhitespace(from: word + 3)
        if matches("-%}", at: end) { return skippingWhitespace(from: end + 3) }
        return matches("%}", at: end) ? end + 2 : nil
    }

    private mutating func readRawBody() throws(TemplateError) {
        let start = position
        var index = start
        while index < source.count {
            if matches("{%", at: index) {
                let sign = sign(at: index + 2)
                let word = skippingWhitespace(from: index + (sign == .none ? 2 : 3))
                let close = skippingWhitespace(from: word + 6)
                if matches("endraw", at: word), let end = blockEnd(at: close) {
                    appendData(strippedText(start..<index, sign: sign, tag: .block))
                    advance(to: end)
                    return
                }
            }
            index += 1
        }
        throw .syntax(line: line, problem: "a raw block is not closed; end it with {% endraw %}")
    }

    /// Where the text after a block tag starts, if the tag ends at `index`.
    private func blockEnd(at index: Int) -> Int? {
        if matches("-%}", at: index) { return skippingWhitespace(from: index + 3) }
        if matches("+%}", at: index) { return index + 3 }
        guard matches("%}", at: index) else { return nil }
        return scalar(at: index + 2) == "\n" ? index + 3 : index + 2
    }

    private func variableEnd(at index: Int) -> Int? {
        if matches("-}}", at: index) { return skippingWhitespace(from: index + 3) }
        return matches("}}", at: index) ? index + 2 : nil
    }

    private mutating func readTag(isBlock: Bool) throws(TemplateError) {
        var openBrackets: [String] = []
        while true {
            advance(to: skippingWhitespace(from: position))
            guard position < source.count else { return }
            if openBrackets.isEmpty, let end = isBlock ? blockEnd(at: position) : variableEnd(at: position) {
                append(isBlock ? .blockEnd : .variableEnd)
                advance(to: end)
                return
            }
            let kind = try readExpressionToken()
            append(kind)
            guard case .symbol(let symbol) = kind else { continue }
            switch symbol {
            case "(": openBrackets.append(")")
            case "[": openBrackets.append("]")
            case "{": openBrackets.append("}")
            case ")", "]", "}":
                guard openBrackets.popLast() == symbol else {
                    throw .syntax(line: line, problem: "\(symbol) closes no open bracket; remove it or open one")
                }
            default: break
            }
        }
    }
}

extension String {
    init(_ scalars: some Sequence<Unicode.Scalar>) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}
