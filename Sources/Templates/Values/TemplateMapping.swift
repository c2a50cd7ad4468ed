/// A mapping that keeps the order in which its keys first came, as Python's dictionaries do.
public struct TemplateMapping: Sendable {
    public struct Entry: Sendable {
        public let key: TemplateKey
        public var value: TemplateValue
    }

    public private(set) var entries: [Entry] = []
    /// Levels of lists and mappings, this one included; never less than the true number.
    private(set) var depth = 1
    /// Where each key is in `entries`; kept only for mappings large enough that searching would be slower.
    private var positions: [TemplateKey: Int] = [:]

    private static let searchedCount = 8

    public init() {}

    /// The value of a key; setting nil is ignored, since templates never remove a key.
    public subscript(key: TemplateKey) -> TemplateValue? {
        get { position(of: key).map { entries[$0].value } }
        set {
            guard let newValue else { return }
            depth = max(depth, newValue.depth + 1)
            if let position = position(of: key) {
                entries[position].value = newValue
                return
            }
            entries.append(Entry(key: key, value: newValue))
            if entries.count == Self.searchedCount + 1 {
                for (position, entry) in entries.enumerated() { positions[entry.key] = position }
            } else if entries.count > Self.searchedCount {
                positions[key] = entries.count - 1
            }
        }
    }

    public subscript(name: String) -> TemplateValue? {
        get { self[.string(name)] }
        set { self[.string(name)] = newValue }
    }

    private func position(of key: TemplateKey) -> Int? {
        entries.count > Self.searchedCount ? positions[key] : entries.firstIndex { $0.key == key }
    }
}

extension TemplateMapping: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, TemplateValue)...) {
        for (key, value) in elements { self[key] = value }
    }
}

/// A key of a mapping. Equal numbers are one key whatever their type, and strings are equal only when their code points
/// are, both as in Python.
public enum TemplateKey: Sendable, Hashable {
    case null
    case boolean(Bool)
    case integer(Int)
    case float(Double)
    case string(String)

    /// The key that a value makes; nil if values of this type cannot be keys.
    init?(_ value: TemplateValue) {
        switch value {
        case .null: self = .null
        case .boolean(let value): self = .boolean(value)
        case .integer(let value): self = .integer(value)
        case .float(let value): self = .float(value)
        case .string(let value): self = .string(value)
        case .undefined, .largeInteger, .list, .tuple, .mapping, .object: return nil
        }
    }

    public var value: TemplateValue {
        switch self {
        case .null: .null
        case .boolean(let value): .boolean(value)
        case .integer(let value): .integer(value)
        case .float(let value): .float(value)
        case .string(let value): .string(value)
        }
    }

    private var number: Int? {
        switch self {
        case .boolean(let value): value ? 1 : 0
        case .integer(let value): value
        case .float(let value): Int(exactly: value)
        case .null, .string: nil
        }
    }

    public static func == (left: TemplateKey, right: TemplateKey) -> Bool {
        switch (left, right) {
        case (.string(let left), .string(let right)): return left.utf8.elementsEqual(right.utf8)
        case (.null, .null): return true
        default:
            if let left = left.number, let right = right.number { return left == right }
            if case (.float(let left), .float(let right)) = (left, right) { return left == right }
            return false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .string(let text): hasher.combine(text)
        case .null: hasher.combine(0)
        case .boolean, .integer, .float:
            if let number { hasher.combine(number) } else if case .float(let value) = self { hasher.combine(value) }
        }
    }
}
