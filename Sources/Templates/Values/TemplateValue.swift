/// A value in a template, with Python's distinctions: integers and floats, lists and tuples, none and undefined.
public enum TemplateValue: Sendable {
    /// A variable or attribute that does not exist; the text says which. Prints as nothing; most uses are errors.
    case undefined(String)
    /// Python's `None`, JSON's `null`.
    case null
    case boolean(Bool)
    case integer(Int)
    /// Decimal digits of an integer beyond 64 bits. It can be printed and tested for equality, not calculated with.
    case largeInteger(String)
    case float(Double)
    case string(String)
    case list(TemplateList)
    case tuple(TemplateList)
    case mapping(TemplateMapping)
    /// Something that exists only while a template runs: a function, macro, namespace or loop.
    case object(TemplateObject)
}

/// The elements of a list or tuple.
public struct TemplateList: Sendable, ExpressibleByArrayLiteral {
    public let elements: [TemplateValue]
    /// Levels of lists and mappings, this one included.
    let depth: Int

    public init(_ elements: [TemplateValue]) {
        self.elements = elements
        var deepest = 0
        for element in elements { deepest = max(deepest, element.depth) }
        depth = deepest + 1
    }

    public init(arrayLiteral elements: TemplateValue...) {
        self.init(elements)
    }
}

/// A function, macro, namespace or loop of a running template; it means nothing outside it.
public struct TemplateObject: Sendable {
    let kind: Kind

    indirect enum Kind: Sendable {
        case function(GlobalFunction)
        case method(receiver: TemplateValue, name: String)
        case namespace(Int)
        case macro(Int)
        case loop(serial: Int)
        case cycler(Int)
        case joiner(Int)
    }

    init(_ kind: Kind) {
        self.kind = kind
    }
}

extension TemplateValue {
    /// Levels of lists and mappings inside this value; 0 for a plain one.
    var depth: Int {
        switch self {
        case .list(let list), .tuple(let list): list.depth
        case .mapping(let mapping): mapping.depth
        case .object(let object):
            if case .method(let receiver, _) = object.kind { receiver.depth + 1 } else { 0 }
        default: 0
        }
    }

    /// The text of a string; nil for anything else.
    public var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The elements of a list or tuple; nil for anything else.
    public var elements: [TemplateValue]? {
        switch self {
        case .list(let list), .tuple(let list): list.elements
        default: nil
        }
    }

    /// The mapping; nil for anything else.
    public var mappingValue: TemplateMapping? {
        if case .mapping(let mapping) = self { mapping } else { nil }
    }

    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }

    /// Python's truth: false for undefined, none, zero and whatever is empty.
    var isTrue: Bool {
        switch self {
        case .undefined, .null: false
        case .boolean(let value): value
        case .integer(let value): value != 0
        case .float(let value): value != 0
        case .string(let value): !value.isEmpty
        case .list(let list), .tuple(let list): !list.elements.isEmpty
        case .mapping(let mapping): !mapping.entries.isEmpty
        case .largeInteger, .object: true
        }
    }

    /// Python's name of the type, as messages use it.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .null: "None"
        case .boolean: "bool"
        case .integer, .largeInteger: "int"
        case .float: "float"
        case .string: "str"
        case .list: "list"
        case .tuple: "tuple"
        case .mapping: "dict"
        case .object(let object):
            switch object.kind {
            case .function: "function"
            case .method: "method"
            case .namespace: "namespace"
            case .macro: "macro"
            case .loop: "loop"
            case .cycler: "cycler"
            case .joiner: "joiner"
            }
        }
    }
}

extension TemplateValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .float(value) }
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    public init(arrayLiteral elements: TemplateValue...) { self = .list(TemplateList(elements)) }
    public init(nilLiteral: ()) { self = .null }

    public init(dictionaryLiteral elements: (String, TemplateValue)...) {
        var mapping = TemplateMapping()
        for (key, value) in elements { mapping[key] = value }
        self = .mapping(mapping)
    }
}
