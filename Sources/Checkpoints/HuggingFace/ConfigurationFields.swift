import JSON

/// Typed access to the keys of a `config.json`, gathering everything that is wrong with them. A key that is null counts
/// as missing.
struct ConfigurationFields {
    let path: String
    /// What stands in front of the keys in messages, such as `rope_scaling.`.
    private let prefix: String
    private let object: JSONValue
    private(set) var problems: [CheckpointProblem] = []

    /// Throws `.malformed` unless the document is an object.
    init(_ document: JSONDocument, path: String) throws(CheckpointError) {
        guard document.root.value.members != nil else {
            throw .malformed(
                path: path,
                CheckpointProblem(
                    place: "document", problem: "is \(document.root.value.kind), not an object",
                    remedy: "fetch the file again"))
        }
        self.path = path
        prefix = ""
        object = document.root.value
    }

    private init(path: String, prefix: String, object: JSONValue) {
        self.path = path
        self.prefix = prefix
        self.object = object
    }

    subscript(key: String) -> JSONValue? { object[key] }

    /// The object at `key`; nil if it is missing or, having reported it, something else.
    mutating func fields(_ key: String) -> ConfigurationFields? {
        guard let value = object[key] else { return nil }
        guard value.members != nil else {
            report(key, "is \(value.kind), not an object")
            return nil
        }
        return ConfigurationFields(path: path, prefix: prefix + key + ".", object: value)
    }

    /// The size at `key`; `missing`, or 1 having reported it, if it is missing; 1, having reported it, if it is out of
    /// bounds.
    mutating func size(_ key: String, in bounds: ClosedRange<Int>, orElse missing: Int? = nil) -> Int {
        guard let value = object[key] else {
            if missing == nil { report(key, "the key is missing") }
            return missing ?? 1
        }
        guard let size = value.wholeNumber, bounds.contains(size) else {
            report(key, "is not a whole number from \(bounds.lowerBound) to \(bounds.upperBound)")
            return 1
        }
        return size
    }

    /// The number at `key`, finite and above `bound`; `missing`, or 1 having reported it, if it is missing or wrong.
    mutating func number(_ key: String, above bound: Double, orElse missing: Double? = nil) -> Double {
        guard let value = object[key] else {
            if missing == nil { report(key, "the key is missing") }
            return missing ?? bound + 1
        }
        // What is far outside a float's range would be infinite as one.
        guard let number = value.double, number > bound, number < 1e30 else {
            report(key, "is not a number above \(bound)")
            return missing ?? bound + 1
        }
        return number
    }

    mutating func string(_ key: String) -> String? {
        guard let value = object[key] else { return nil }
        if value.string == nil { report(key, "is \(value.kind), not a string") }
        return value.string
    }

    mutating func boolean(_ key: String, orElse missing: Bool) -> Bool {
        guard let value = object[key] else { return missing }
        if value.boolean == nil { report(key, "is \(value.kind), not true or false") }
        return value.boolean ?? missing
    }

    mutating func report(_ key: String, _ problem: String) {
        problems.append(
            CheckpointProblem(place: prefix + key, problem: problem, remedy: "fetch the model's configuration again"))
    }

    /// Takes over what another part of the document was found to have wrong.
    mutating func adopt(_ part: ConfigurationFields) { problems += part.problems }

    func unsupported(_ key: String, _ problem: String, _ remedy: String) -> CheckpointError {
        .unsupported(path: path, CheckpointProblem(place: prefix + key, problem: problem, remedy: remedy))
    }
}
