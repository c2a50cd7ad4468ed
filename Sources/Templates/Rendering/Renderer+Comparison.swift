extension Renderer {
    mutating func compare(
        _ left: TemplateValue, _ operation: ComparisonOperator, _ right: TemplateValue
    ) throws(TemplateError) -> Bool {
        switch operation {
        case .equal: return try isEqual(left, right)
        case .notEqual: return !(try isEqual(left, right))
        case .contained: return try contains(right, left)
        case .notContained: return !(try contains(right, left))
        case .less: return try order(left, right) == .less
        case .greater: return try order(left, right) == .greater
        case .lessOrEqual:
            let order = try order(left, right)
            return order == .less || order == .equal
        case .greaterOrEqual:
            let order = try order(left, right)
            return order == .greater || order == .equal
        }
    }

    /// Python's `==`. Paid for by element, since lists can share their parts many times over.
    mutating func isEqual(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Bool {
        try spend()
        switch (left, right) {
        case (.undefined, .undefined), (.null, .null): return true
        case (.string(let left), .string(let right)):
            guard left.utf8.count == right.utf8.count else { return false }
            try spend(byteCount: left.utf8.count)
            return left.utf8.elementsEqual(right.utf8)
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return try isEqual(left.elements, right.elements)
        case (.mapping(let left), .mapping(let right)): return try isEqual(left, right)
        case (.largeInteger(let left), .largeInteger(let right)): return left == right
        case (.object(let left), .object(let right)): return isSame(left, right)
        default:
            guard Number(left) != nil, Number(right) != nil else { return false }
            return try order(left, right) == .equal
        }
    }

    mutating func isEqual(_ left: [TemplateValue], _ right: [TemplateValue]) throws(TemplateError) -> Bool {
        guard left.count == right.count else { return false }
        for (left, right) in zip(left, right) {
            guard try isEqual(left, right) else { return false }
        }
        return true
    }

    private mutating func isEqual(_ left: TemplateMapping, _ right: TemplateMapping) throws(TemplateError) -> Bool {
        guard left.entries.count == right.entries.count else { return false }
        for entry in left.entries {
            guard let other = right[entry.key], try isEqual(entry.value, other) else { return false }
        }
        return true
    }

    private func isSame(_ left: TemplateObject, _ right: TemplateObject) -> Bool {
        switch (left.kind, right.kind) {
        case (.function(let left), .function(let right)): left == right
        case (.namespace(let left), .namespace(let right)), (.macro(let left), .macro(let right)),
            (.loop(let left), .loop(let right)), (.cycler(let left), .cycler(let right)),
            (.joiner(let left), .joiner(let right)):
            left == right
        default: false
        }
    }

    enum Order {
        case less, equal, greater
        /// A comparison with a float that is not a number.
        case none
    }

    /// Python's order of numbers, strings (by code point), lists and tuples (by first difference).
    mutating func order(_ left: TemplateValue, _ right: TemplateValue) throws(TemplateError) -> Order {
        try spend()
        switch (left, right) {
        case (.string(let left), .string(let right)):
            try spend(byteCount: min(left.utf8.count, right.utf8.count))
            if left.utf8.lexicographicallyPrecedes(right.utf8) { return .less }
            return left.utf8.elementsEqual(right.utf8) ? .equal : .greater
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            for (left, right) in zip(left.elements, right.elements) {
                if !(try isEqual(left, right)) { return try order(left, right) }
            }
            return Self.order(left.elements.count, right.elements.count)
        default: break
        }
        switch (Number(left), Number(right)) {
        case (.integer(let left), .integer(let right)): return Self.order(left, right)
        case (let left?, let right?): return Self.order(left.double, right.double)
        default: break
        }
        for case .undefined(let problem) in [left, right] {
            throw failure("\(problem), so it has no order; test it with `is defined`")
        }
        throw failure("values of types \(left.typeName) and \(right.typeName) have no order; convert one of them")
    }

    private static func order<Value: Comparable>(_ left: Value, _ right: Value) -> Order {
        left < right ? .less : left > right ? .greater : left == right ? .equal : .none
    }

    /// Python's `element in container`.
    mutating func contains(_ container: TemplateValue, _ element: TemplateValue) throws(TemplateError) -> Bool {
        switch container {
        case .string(let text):
            guard case .string(let part) = element else {
                throw failure("a value of type \(element.typeName) cannot be in a string; convert it with |string")
            }
            try spend(byteCount: text.utf8.count)
            return ByteSearch(part).first(in: Array(text.utf8)) != nil
        case .mapping(let mapping): return TemplateKey(element).flatMap { mapping[$0] } != nil
        case .undefined: return false
        case .list(let list), .tuple(let list):
            for other in list.elements where try isEqual(other, element) { return true }
            return false
        default:
            throw failure("nothing can be in a value of type \(container.typeName); use a list, mapping or string")
        }
    }

    /// A stable merge sort, from low to high.
    mutating func sorted(
        _ elements: [(key: TemplateValue, value: TemplateValue)]
    ) throws(TemplateError) -> [(key: TemplateValue, value: TemplateValue)] {
        guard elements.count > 1 else { return elements }
        let middle = elements.count / 2
        let left = try sorted(Array(elements[..<middle]))
        let right = try sorted(Array(elements[middle...]))
        try spend(elements.count)
        var result: [(key: TemplateValue, value: TemplateValue)] = []
        var (leftIndex, rightIndex) = (0, 0)
        while leftIndex < left.count, rightIndex < right.count {
            if try order(right[rightIndex].key, left[leftIndex].key) == .less {
                result.append(right[rightIndex])
                rightIndex += 1
            } else {
                result.append(left[leftIndex])
                leftIndex += 1
            }
        }
        return result + left[leftIndex...] + right[rightIndex...]
    }
}
