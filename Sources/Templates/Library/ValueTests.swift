/// A test after `is`.
typealias ValueTest = @Sendable (TemplateValue, Arguments, inout Renderer) throws(TemplateError) -> Bool

/// The tests by name.
enum ValueTests {
    static let table: [String: ValueTest] = [
        "defined": kind { !$0.isUndefined }, "undefined": kind { $0.isUndefined }, "none": kind { $0.isNull },
        "string": kind { $0.stringValue != nil }, "mapping": kind { $0.mappingValue != nil },
        "boolean": kind { $0.isBoolean }, "true": kind { $0.isBoolean && $0.isTrue },
        "false": kind { $0.isBoolean && !$0.isTrue },
        "number": kind { Number($0) != nil || $0.isInteger }, "integer": kind { $0.isInteger },
        "float": kind { if case .float = $0 { true } else { false } },
        "iterable": kind { $0.isSequence }, "sequence": kind { $0.isSequence },
        "callable": kind { $0.isCallable }, "escaped": kind { _ in false },
        "lower": cased { $0.isLowercase }, "upper": cased { $0.isUppercase },
        "even": divisible(by: 2, remainder: 0), "odd": divisible(by: 2, remainder: 1), "divisibleby": divisibleBy,
        "equalto": comparison(.equal), "eq": comparison(.equal), "==": comparison(.equal),
        "ne": comparison(.notEqual), "!=": comparison(.notEqual),
        "lt": comparison(.less), "lessthan": comparison(.less), "<": comparison(.less),
        "le": comparison(.lessOrEqual), "<=": comparison(.lessOrEqual),
        "gt": comparison(.greater), "greaterthan": comparison(.greater), ">": comparison(.greater),
        "ge": comparison(.greaterOrEqual), ">=": comparison(.greaterOrEqual),
        "in": comparison(.contained), "sameas": isSame,
        "filter": isKnown { Filters.table[$0] != nil }, "test": isKnown { table[$0] != nil },
    ]

    private static func kind(_ predicate: @escaping @Sendable (TemplateValue) -> Bool) -> ValueTest {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "a test of type or truth", in: renderer)
            return predicate(value)
        }
    }

    private static func cased(_ isOfCase: @escaping @Sendable (Unicode.Scalar.Properties) -> Bool) -> ValueTest {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "a test of case", in: renderer)
            let text = try renderer.text(of: value)
            try renderer.spend(byteCount: text.utf8.count)
            return StringMethods.hasCase(text, isOfCase)
        }
    }

    private static func remainder(
        _ value: TemplateValue, by divisor: TemplateValue, _ renderer: inout Renderer
    ) throws(TemplateError) -> TemplateValue {
        guard Number(value) != nil else {
            throw renderer.failure("a value of type \(value.typeName) cannot be divided; use a number")
        }
        return try renderer.combine(value, .remainder, divisor)
    }

    private static func divisible(by divisor: Int, remainder wanted: Int) -> ValueTest {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "even and odd", in: renderer)
            return try renderer.isEqual(try remainder(value, by: .integer(divisor), &renderer), .integer(wanted))
        }
    }

    @Sendable private static func divisibleBy(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> Bool {
        let given = try arguments.bind(["num"], of: "divisibleby", in: renderer)
        let divisor = try renderer.required(given[0], "the divisor")
        return try renderer.isEqual(try remainder(value, by: divisor, &renderer), 0)
    }

    private static func comparison(_ operation: ComparisonOperator) -> ValueTest {
        { (value, arguments, renderer) throws(TemplateError) in
            let given = try arguments.bind(["other"], of: "a comparing test", in: renderer)
            return try renderer.compare(value, operation, try renderer.required(given[0], "the value to compare with"))
        }
    }

    /// Python's `is`, which is equality for what templates can tell apart: type and value.
    @Sendable private static func isSame(
        _ value: TemplateValue, _ arguments: Arguments, _ renderer: inout Renderer
    ) throws(TemplateError) -> Bool {
        let given = try arguments.bind(["other"], of: "sameas", in: renderer)
        let other = try renderer.required(given[0], "the value to compare with")
        guard value.typeName == other.typeName else { return false }
        return try renderer.isEqual(value, other)
    }

    private static func isKnown(_ predicate: @escaping @Sendable (String) -> Bool) -> ValueTest {
        { (value, arguments, renderer) throws(TemplateError) in
            _ = try arguments.bind([], of: "filter and test", in: renderer)
            return predicate(try renderer.text(of: value))
        }
    }
}

extension TemplateValue {
    var isInteger: Bool {
        switch self {
        case .integer, .largeInteger: true
        default: false
        }
    }

    /// Whether it has a length and can be looped over; undefined is an empty sequence.
    var isSequence: Bool {
        switch self {
        case .undefined, .string, .list, .tuple, .mapping: true
        default: false
        }
    }

    var isCallable: Bool {
        guard case .object(let object) = self else { return false }
        switch object.kind {
        case .function, .method, .macro, .joiner: return true
        case .namespace, .loop, .cycler: return false
        }
    }
}

extension Renderer {
    mutating func test(
        _ value: TemplateValue, _ name: String, _ arguments: Arguments
    ) throws(TemplateError) -> Bool {
        guard let test = ValueTests.table[name] else {
            throw failure("unknown test \(name); this interpreter knows those that chat templates use")
        }
        return try test(value, arguments, &self)
    }
}
