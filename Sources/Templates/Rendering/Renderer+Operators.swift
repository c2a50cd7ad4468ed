extension Renderer {
    private func unsupported(
        _ left: TemplateValue, _ operation: BinaryOperator, _ right: TemplateValue
    ) -> TemplateError {
        for case .undefined(let problem) in [left, right] {
            return failure("\(problem), so \(operation.rawValue) cannot be applied; test it with `is defined`")
        }
        return failure(
            "\(operation.rawValue) cannot be applied to \(left.typeName) and \(right.typeName); convert one of them")
    }

    private func overflow(_ operation: String) -> TemplateError {
        failure("the result of \(operation) does not fit 64 bits; use smaller numbers")
    }

    mutating func combine(
        _ left: TemplateValue, _ operation: BinaryOperator, _ right: TemplateValue
    ) throws(TemplateError) -> TemplateValue {
        if operation == .concatenate {
            let (left, right) = (try text(of: left), try text(of: right))
            return try concatenated(left, right)
        }
        if let result = try combineSequences(left, operation, right) { return result }
        switch (Number(left), Number(right)) {
        case (.integer(let first), .integer(let second)):
            return try combine(first, operation, second)
        case (let first?, let second?):
            return try combine(first.double, operation, second.double)
        default: throw unsupported(left, operation, right)
        }
    }

    private mutating func concatenated(_ left: String, _ right: String) throws(TemplateError) -> TemplateValue {
        try checkTextLength(left.utf8.count + right.utf8.count)
        return .string(left + right)
    }

    /// Pays for text about to be made and refuses it if it alone would exceed the output limit.
    mutating func checkTextLength(_ byteCount: Int) throws(TemplateError) {
        guard byteCount <= limits.outputByteCount else {
            throw limitFailure("a string exceeds \(limits.outputByteCount) bytes; shorten it")
        }
        try spend(byteCount: byteCount)
    }

    /// Operators on strings, lists and tuples; nil if neither side is one that the operator works on.
    private mutating func combineSequences(
        _ left: TemplateValue, _ operation: BinaryOperator, _ right: TemplateValue
    ) throws(TemplateError) -> TemplateValue? {
        switch (left, operation, right) {
        case (.string(let left), .add, .string(let right)): return try concatenated(left, right)
        case (.list(let left), .add, .list(let right)):
            try spend(left.elements.count + right.elements.count)
            return .list(TemplateList(left.elements + right.elements))
        case (.tuple(let left), .add, .tuple(let right)):
            try spend(left.elements.count + right.elements.count)
            return .tuple(TemplateList(left.elements + right.elements))
        case (.string(let format), .remainder, _): return .string(try percentFormatted(format, right))
        case (.string, .multiply, _): return try repeated(left, right)
        case (_, .multiply, .string): return try repeated(right, left)
        case (.list, .multiply, _), (.tuple, .multiply, _): return try repeated(left, right)
        case (_, .multiply, .list), (_, .multiply, .tuple): return try repeated(right, left)
        default: return nil
        }
    }

    private mutating func repeated(_ value: TemplateValue, _ count: TemplateValue) throws(TemplateError)
        -> TemplateValue
    {
        guard case .integer(let signedCount) = Number(count) else { throw unsupported(value, .multiply, count) }
        let count = max(signedCount, 0)
        switch value {
        case .string(let text):
            let (byteCount, isTooLarge) = text.utf8.count.multipliedReportingOverflow(by: count)
            try checkTextLength(isTooLarge ? .max : byteCount)
            return .string(text.isEmpty ? "" : String(repeating: text, count: count))
        case .list(let list): return .list(TemplateList(try repeated(list.elements, count)))
        case .tuple(let list): return .tuple(TemplateList(try repeated(list.elements, count)))
        default: throw unsupported(value, .multiply, .integer(count))
        }
    }

    private mutating func repeated(_ elements: [TemplateValue], _ count: Int) throws(TemplateError) -> [TemplateValue] {
        guard !elements.isEmpty else { return [] }
        let (total, isTooLarge) = elements.count.multipliedReportingOverflow(by: count)
        try spend(isTooLarge ? .max : total)
        return (0..<count).flatMap { _ in elements }
    }

    private func combine(
        _ left: Int, _ operation: BinaryOperator, _ right: Int
    ) throws(TemplateError) -> TemplateValue {
        let result: (partialValue: Int, overflow: Bool)
        switch operation {
        case .add: result = left.addingReportingOverflow(right)
        case .subtract: result = left.subtractingReportingOverflow(right)
        case .multiply: result = left.multipliedReportingOverflow(by: right)
        case .divide, .floorDivide, .remainder:
            guard right != 0 else { throw failure("division by zero; check the divisor first") }
            if operation == .divide { return .float(Double(left) / Double(right)) }
            let (quotient, isTooLarge) = left.dividedReportingOverflow(by: right)
            if isTooLarge {
                if operation == .remainder { return .integer(0) }
                throw overflow("//")
            }
            let remainder = left - quotient * right
            let isBetween = remainder != 0 && (remainder < 0) != (right < 0)
            if operation == .floorDivide { return .integer(isBetween ? quotient - 1 : quotient) }
            return .integer(isBetween ? remainder + right : remainder)
        case .power:
            guard right >= 0 else { return try combine(Double(left), .power, Double(right)) }
            return .integer(try power(left, right))
        case .concatenate: throw unsupported(.integer(left), operation, .integer(right))
        }
        guard !result.overflow else { throw overflow(operation.rawValue) }
        return .integer(result.partialValue)
    }

    private func power(_ base: Int, _ exponent: Int) throws(TemplateError) -> Int {
        if base == 0 || base == 1 { return exponent == 0 ? 1 : base }
        if base == -1 { return exponent % 2 == 0 ? 1 : -1 }
        guard exponent < 64 else { throw overflow("**") }
        var result = 1
        for _ in 0..<exponent {
            let (product, isTooLarge) = result.multipliedReportingOverflow(by: base)
            guard !isTooLarge else { throw overflow("**") }
            result = product
        }
        return result
    }

    private func combine(
        _ left: Double, _ operation: BinaryOperator, _ right: Double
    ) throws(TemplateError) -> TemplateValue {
        switch operation {
        case .add: return .float(left + right)
        case .subtract: return .float(left - right)
        case .multiply: return .float(left * right)
        case .power:
            guard left != 0 || right >= 0 else { throw failure("0 to a negative power; check the base first") }
            return .float(Number.power(left, right))
        case .divide, .floorDivide, .remainder:
            guard right != 0 else { throw failure("division by zero; check the divisor first") }
            if operation == .divide { return .float(left / right) }
            var remainder = left.truncatingRemainder(dividingBy: right)
            if remainder != 0, (remainder < 0) != (right < 0) { remainder += right }
            if operation == .remainder { return .float(remainder) }
            return .float(((left - remainder) / right).rounded())
        case .concatenate: throw unsupported(.float(left), operation, .float(right))
        }
    }

    func negated(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch Number(value) {
        case .integer(let number):
            guard number != .min else { throw overflow("-") }
            return .integer(-number)
        case .float(let number): return .float(-number)
        case nil: throw failure("a value of type \(value.typeName) cannot be negated; use a number")
        }
    }

    func positive(_ value: TemplateValue) throws(TemplateError) -> TemplateValue {
        switch Number(value) {
        case .integer(let number): return .integer(number)
        case .float(let number): return .float(number)
        case nil: throw failure("a value of type \(value.typeName) has no sign; use a number")
        }
    }
}

/// The numeric value of an integer, float or boolean.
enum Number {
    case integer(Int)
    case float(Double)

    init?(_ value: TemplateValue) {
        switch value {
        case .integer(let value): self = .integer(value)
        case .float(let value): self = .float(value)
        case .boolean(let value): self = .integer(value ? 1 : 0)
        case .undefined, .null, .largeInteger, .string, .list, .tuple, .mapping, .object: return nil
        }
    }

    var double: Double {
        switch self {
        case .integer(let value): Double(value)
        case .float(let value): value
        }
    }
}
