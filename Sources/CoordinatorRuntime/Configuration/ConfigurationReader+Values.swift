import ClusterCore
import Transport
import Yams

extension ConfigurationReader {
    /// The line of a path, or of the nearest one around it.
    func line(of path: String) -> Int? {
        var path = path
        while true {
            if let line = lines[path] { return line }
            guard let cut = path.lastIndex(where: { $0 == "." || $0 == "[" }) else { return nil }
            path = String(path[..<cut])
        }
    }

    mutating func endpoint(_ node: Node, _ path: String) -> String? {
        let remedy = "write it as tcp://127.0.0.1:7070"
        guard let text = text(node, path, remedy: remedy) else { return nil }
        guard HostPort(endpoint: text) != nil else {
            report(node, path, "\(node.quotedText) is not an endpoint", remedy)
            return nil
        }
        return text
    }

    /// A file path with `~`, `${HOME}` and `${RYZ_HOME}` replaced.
    mutating func path(_ node: Node, _ path: String, environment: [String: String]) -> String? {
        guard let text = text(node, path, remedy: "write the path of a GGUF file or a checkpoint's folder") else {
            return nil
        }
        var rest = Substring(text)
        var result = ""
        if rest == "~" || rest.hasPrefix("~/") {
            guard let home = environment["HOME"] else {
                report(node, path, "~ has no meaning as HOME is not set", "write the path from / on")
                return nil
            }
            result = home
            rest = rest.dropFirst()
        }
        while let open = rest.firstRange(of: "${") {
            guard let close = rest[open.upperBound...].firstIndex(of: "}") else {
                report(node, path, "a ${ is not closed", "write ${RYZ_HOME} or leave the ${ out")
                return nil
            }
            let name = String(rest[open.upperBound..<close])
            guard let value = Self.value(of: name, environment: environment) else {
                report(
                    node, path, "${\(name.shortened)} has no meaning here",
                    "use ${RYZ_HOME} or ${HOME}, or write the path in full")
                return nil
            }
            result += rest[..<open.lowerBound] + value
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    private static func value(of name: String, environment: [String: String]) -> String? {
        switch name {
        case "HOME": environment["HOME"]
        case "RYZ_HOME": environment["RYZ_HOME"] ?? environment["HOME"].map { $0 + "/.ryz" }
        default: nil
        }
    }

    /// A count, or a list of names or of mappings with `name` and perhaps `layers`.
    mutating func workers(_ node: Node, _ path: String) -> WorkerSelection? {
        let limit = 256
        guard case .sequence(let sequence) = node else {
            if case .mapping = node {
                report(node, path, "it is a mapping", "write a number, or a list with a name: for each worker")
                return nil
            }
            return wholeNumber(node, path, in: 1...limit).map(WorkerSelection.count)
        }
        guard (1...limit).contains(sequence.count) else {
            report(node, path, "it has \(sequence.count) entries", "list 1 to \(limit) workers")
            return nil
        }
        var workers: [NamedWorker?] = []
        for (index, entry) in sequence.enumerated() {
            note(entry, "\(path)[\(index)]")
            workers.append(worker(entry, "\(path)[\(index)]"))
        }
        let complete = workers.compactMap(\.self)
        return complete.count == workers.count ? .named(complete) : nil
    }

    /// How many ranks each stage has: a list of numbers.
    mutating func placement(_ node: Node, _ path: String) -> [Int]? {
        let remedy = "list the ranks of each stage, such as [2, 1], or write auto"
        guard case .sequence(let sequence) = node else {
            report(node, path, "it is \(node.kindText)", remedy)
            return nil
        }
        guard !sequence.isEmpty else {
            report(node, path, "it is empty", remedy)
            return nil
        }
        var ranks: [Int] = []
        for (index, entry) in sequence.prefix(256).enumerated() {
            note(entry, "\(path)[\(index)]")
            guard let count = wholeNumber(entry, "\(path)[\(index)]", in: 1...64) else { continue }
            ranks.append(count)
        }
        let sum = ranks.reduce(0, +)
        guard sequence.count <= 256, sum <= 256 else {
            report(node, path, "it needs more than 256 workers", "use fewer stages or ranks")
            return nil
        }
        return ranks.count == sequence.count ? ranks : nil
    }

    private mutating func worker(_ node: Node, _ path: String) -> NamedWorker? {
        if case .scalar = node { return name(node, path).map { NamedWorker(node: $0) } }
        let remedy = "write a name, or name: and layers:"
        guard let values = mapping(node, path, keys: ["name", "layers"], remedy: remedy) else { return nil }
        var range: Range<Int>?
        if let node = values["layers"] {
            range = layers(node, "\(path).layers")
            if range == nil { return nil }
        }
        guard let nameNode = values["name"] else {
            report(node, path, "it has no name", "add name: with the worker's --name")
            return nil
        }
        return name(nameNode, "\(path).name").map { NamedWorker(node: $0, layers: range) }
    }

    mutating func name(_ node: Node, _ path: String) -> NodeID? {
        let remedy = "write 1 to 64 of A–Z a–z 0–9 . _ -"
        guard let text = text(node, path, remedy: remedy) else { return nil }
        guard let name = NodeID(text), name != .coordinator else {
            report(node, path, "\(node.quotedText) is not a worker's name", remedy)
            return nil
        }
        return name
    }

    /// `FIRST-LAST`, both included, or a single layer.
    mutating func layers(_ node: Node, _ path: String) -> Range<Int>? {
        let remedy = "write the first and the last layer as 0-9"
        guard let text = text(node, path, remedy: remedy) else { return nil }
        let parts = text.split(separator: #/\s*[-–]\s*/#, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int($0) }.filter { (0..<4096).contains($0) }
        guard (1...2).contains(parts.count), numbers.count == parts.count, let first = numbers.first,
            let last = numbers.last, first <= last
        else {
            report(node, path, "\(node.quotedText) is not a range of layers", remedy)
            return nil
        }
        return first..<(last + 1)
    }
}
