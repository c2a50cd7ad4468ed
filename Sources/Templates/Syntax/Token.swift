/// One piece of a template's source.
struct Token {
    enum Kind: Equatable {
        /// Text outside tags, after whitespace control.
        case data(String)
        case variableBegin
        case variableEnd
        case blockBegin
        case blockEnd
        case name(String)
        case string(String)
        case integer(Int)
        case float(Double)
        case symbol(String)
        case endOfSource
    }

    let kind: Kind
    /// Counted from 1.
    let line: Int
}

extension Token.Kind {
    /// How a message names the token.
    var text: String {
        switch self {
        case .data: "text"
        case .variableBegin: "{{"
        case .variableEnd: "}}"
        case .blockBegin: "{%"
        case .blockEnd: "%}"
        case .name(let name): name
        case .string(let text): "the string \"\(text.prefix(40))\""
        case .integer(let value): "\(value)"
        case .float(let value): "\(value)"
        case .symbol(let symbol): symbol
        case .endOfSource: "the end of the template"
        }
    }
}
