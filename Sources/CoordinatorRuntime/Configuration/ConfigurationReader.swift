import ClusterCore
import Transport
import Yams

/// Reads settings off YAML nodes, and goes on after each problem so that all are found at once.
struct ConfigurationReader {
    let file: String
    private(set) var problems: [ConfigurationProblem] = []
    /// The line of each path that was seen.
    private(set) var lines: [String: Int] = [:]

    init(file: String) { self.file = file }

    mutating func report(_ node: Node?, _ path: String, _ problem: String, _ remedy: String) {
        report(line: node?.mark?.line, path, problem, remedy)
    }

    mutating func report(line: Int?, _ path: String, _ problem: String, _ remedy: String) {
        problems.append(
            ConfigurationProblem(file: file, line: line, path: path, problem: problem, remedy: remedy))
    }

    /// The values of a mapping by key; keys that are not among `keys` are reported. Nil, and reported, if it is none.
    mutating func mapping(_ node: Node, _ path: String, keys: [String], remedy: String) -> [String: Node]? {
        guard case .mapping(let mapping) = node else {
            report(node, path, "it is \(node.kindText)", remedy)
            return nil
        }
        var values: [String: Node] = [:]
        for (keyNode, value) in mapping {
            let key = keyNode.scalar?.string ?? "?"
            let keyPath = path.isEmpty ? key : "\(path).\(key)"
            guard keys.contains(key) else {
                let remedy =
                    Self.nearest(to: key, among: keys).map { "did you mean \($0)?" }
                    ?? "use one of \(keys.joined(separator: ", "))"
                report(keyNode, keyPath.shortened, "there is no such setting", remedy)
                continue
            }
            lines[keyPath] = value.mark?.line ?? keyNode.mark?.line
            values[key] = value
        }
        return values
    }

    /// Remembers where a path stands.
    mutating func note(_ node: Node, _ path: String) { lines[path] = node.mark?.line }

    mutating func text(_ node: Node, _ path: String, remedy: String) -> String? {
        guard let text = node.plainOrQuotedText, !text.isEmpty, text.utf8.count <= 4096, !text.utf8.contains(0) else {
            report(node, path, "\(node.quotedText) is not a text", remedy)
            return nil
        }
        return text
    }

    mutating func wholeNumber(_ node: Node, _ path: String, in range: ClosedRange<Int>) -> Int? {
        let remedy = "write \(range.lowerBound) to \(range.upperBound)"
        guard let text = node.plainText, let number = Int(text) else {
            report(node, path, "\(node.quotedText) is not a whole number", remedy)
            return nil
        }
        guard range.contains(number) else {
            report(node, path, "\(number) is out of range", remedy)
            return nil
        }
        return number
    }

    mutating func seconds(_ node: Node, _ path: String, in range: ClosedRange<Double>) -> Duration? {
        let bounds = (Duration.seconds(range.lowerBound).plainSeconds, Duration.seconds(range.upperBound).plainSeconds)
        let remedy = "write \(bounds.0) to \(bounds.1) seconds"
        guard let text = node.plainText, let number = Double(text), number.isFinite else {
            report(node, path, "\(node.quotedText) is not a number", remedy)
            return nil
        }
        guard range.contains(number) else {
            report(node, path, "\(text) is out of range", remedy)
            return nil
        }
        return .nanoseconds(Int64((number * 1e9).rounded()))
    }

    mutating func flag(_ node: Node, _ path: String) -> Bool? {
        switch node.plainText {
        case "true": return true
        case "false": return false
        default:
            report(node, path, "\(node.quotedText) is neither true nor false", "write true or false")
            return nil
        }
    }

    /// One of an enumeration's values, by its name.
    mutating func choice<Value: CaseIterable & RawRepresentable<String>>(_ node: Node, _ path: String) -> Value? {
        if let value = node.plainOrQuotedText.flatMap(Value.init(rawValue:)) { return value }
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        report(node, path, "\(node.quotedText) is none of its values", "write one of \(names)")
        return nil
    }

    /// The nearest key, if it is at most two edits away, or one for a short key.
    static func nearest(to key: String, among keys: [String]) -> String? {
        let limit = key.count < 5 ? 1 : 2
        guard key.utf8.count <= 64 else { return nil }
        let ranked = keys.map { (distance: editDistance(key, $0), key: $0) }
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance <= limit else { return nil }
        return best.key
    }

    /// Insertions, deletions and substitutions that make one text the other (Levenshtein).
    private static func editDistance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (index, character) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let substitution = diagonal + (right[column] == character ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(substitution, row[column] + 1, diagonal + 1)
            }
        }
        return row[right.count]
    }
}

extension Node {
    /// The text of an unquoted scalar.
    var plainText: String? {
        guard let scalar, scalar.style == .plain || scalar.style == .any else { return nil }
        return scalar.string
    }

    /// The text of a scalar, unless it is what YAML takes for nothing.
    var plainOrQuotedText: String? {
        guard let scalar else { return nil }
        if let plainText, ["", "~", "null", "Null", "NULL"].contains(plainText) { return nil }
        return scalar.string
    }

    var kindText: String {
        switch self {
        case .scalar: "a single value"
        case .sequence: "a list"
        case .mapping: "a mapping"
        case .alias: "an alias"
        }
    }

    /// The node as a message shows it.
    var quotedText: String {
        guard let scalar else { return kindText }
        return scalar.string.isEmpty ? "nothing" : "\"\(scalar.string.shortened)\""
    }
}

extension String {
    /// At most 40 characters, none of them a control character.
    var shortened: String {
        let printable = String(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
        return printable.count <= 40 ? printable : printable.prefix(39) + "…"
    }
}
