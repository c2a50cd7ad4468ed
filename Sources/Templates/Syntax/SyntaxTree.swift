/// An expression. Chains of operators and postfix operations are flat, so that depth in the tree means brackets in the source.
indirect enum Expression: Sendable {
    case constant(TemplateValue)
    case name(String)
    case list([Expression])
    case tuple([Expression])
    case dictionary([(key: Expression, value: Expression)])
    /// Operators of one precedence, applied from left to right.
    case chain(Expression, [(operation: BinaryOperator, operand: Expression)])
    /// `a < b <= c`: each operand is evaluated once, until a comparison fails.
    case comparison(Expression, [(operation: ComparisonOperator, operand: Expression)])
    case and([Expression])
    case or([Expression])
    case prefix(PrefixOperator, Expression)
    case conditional(condition: Expression, then: Expression, otherwise: Expression?)
    case postfix(Expression, [PostfixOperation])
}

enum PrefixOperator: String, Sendable {
    case not
    case minus = "-"
    case plus = "+"
}

enum BinaryOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case concatenate = "~"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case remainder = "%"
    case power = "**"
}

enum ComparisonOperator: String, Sendable {
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case contained = "in"
    case notContained = "not in"
}

/// What can follow an expression.
enum PostfixOperation: Sendable {
    case attribute(String)
    case item(Expression)
    case slice(start: Expression?, end: Expression?, step: Expression?)
    case call(CallArguments)
    case filter(String, CallArguments)
    case test(String, CallArguments, isNegated: Bool)
}

struct CallArguments: Sendable {
    var positional: [Expression] = []
    var keywords: [(name: String, value: Expression)] = []
    /// `*expression`
    var spreadList: Expression?
    /// `**expression`
    var spreadMapping: Expression?
}

struct Statement: Sendable {
    let line: Int
    let kind: Kind

    enum Kind: Sendable {
        case text(String)
        case output(Expression)
        case condition(branches: [(condition: Expression, body: [Statement])], otherwise: [Statement])
        case loop(ForLoop)
        case assignment(AssignmentTarget, Expression)
        case blockAssignment(AssignmentTarget, filters: [PostfixOperation], body: [Statement])
        case macro(MacroDefinition)
        case callBlock(call: Expression, caller: MacroDefinition)
        case filterBlock(filters: [PostfixOperation], body: [Statement])
        case with(assignments: [(target: AssignmentTarget, value: Expression)], body: [Statement])
        /// A body with its own variables that is rendered in place, such as `{% generation %}`.
        case scope([Statement])
        case breakLoop
        case continueLoop
    }
}

struct ForLoop: Sendable {
    let target: AssignmentTarget
    let sequence: Expression
    let filter: Expression?
    let body: [Statement]
    let otherwise: [Statement]
}

indirect enum AssignmentTarget: Sendable {
    case name(String)
    /// `namespace.attribute`
    case attribute(namespace: String, name: String)
    case tuple([AssignmentTarget])
}

struct MacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, defaultValue: Expression?)]
    let body: [Statement]
    /// Whether the body mentions `varargs`, so that the macro takes any number of positional arguments.
    let usesExtraArguments: Bool
    /// Whether the body mentions `kwargs`, so that the macro takes keyword arguments of any name.
    let usesExtraKeywords: Bool
}
