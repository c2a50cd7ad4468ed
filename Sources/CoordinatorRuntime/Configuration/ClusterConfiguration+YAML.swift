import ClusterCore
import Foundation
import Transport
import Yams

extension ClusterConfiguration {
    /// A longer file is refused before it is parsed.
    static let maximumByteCount = 256 << 10

    /// Reads a file such as `cluster.yaml`.
    ///
    /// - Parameter environment: gives `HOME` and `RYZ_HOME`.
    /// - Throws: `ConfigurationError` with all problems at once.
    public static func load(file: String, environment: [String: String]) throws(ConfigurationError) -> Self {
        func failure(_ problem: String, _ remedy: String) -> ConfigurationError {
            ConfigurationError(problems: [
                ConfigurationProblem(file: file, line: nil, path: "", problem: problem, remedy: remedy)
            ])
        }
        guard let handle = FileHandle(forReadingAtPath: file) else {
            throw failure("it cannot be read", "check that it exists, or name another with --config")
        }
        defer { try? handle.close() }
        guard let data = try? handle.read(upToCount: maximumByteCount + 1) ?? Data() else {
            throw failure("it cannot be read", "check that it is a file that you may read")
        }
        guard data.count <= maximumByteCount else {
            throw failure("it has more than \(maximumByteCount) bytes", "name a file with cluster settings")
        }
        guard let text = String(data: data, encoding: .utf8) else {
            throw failure("it is not UTF-8 text", "save it as UTF-8")
        }
        return try parse(text, file: file, environment: environment)
    }

    /// Parses the text of a file.
    ///
    /// - Parameters:
    ///   - file: the name that messages show.
    ///   - environment: gives `HOME` and `RYZ_HOME`.
    /// - Throws: `ConfigurationError` with all problems at once.
    public static func parse(
        _ text: String, file: String, environment: [String: String]
    ) throws(ConfigurationError) -> Self {
        var reader = ConfigurationReader(file: file)
        var configuration = ClusterConfiguration()
        do {
            if let root = try Yams.compose(yaml: text), root.plainText != "" {
                configuration.read(root, &reader, environment: environment)
            }
        } catch let error as YamlError {
            let (line, problem) = error.lineAndProblem
            reader.report(line: line, "", "it is not valid YAML: \(problem)", "correct the line or the one before it")
        } catch {
            reader.report(line: nil, "", "it is not valid YAML", "write it as lines of key: value")
        }
        // A conflict with a value that was not understood would only repeat that problem.
        let broken = Set(reader.problems.map(\.path))
        var problems = reader.problems
        for var conflict in configuration.conflicts() where !broken.contains(where: { conflict.path.hasPrefix($0) }) {
            conflict.file = file
            conflict.line = reader.line(of: conflict.path)
            problems.append(conflict)
        }
        guard problems.isEmpty else {
            let ordered = problems.enumerated().sorted {
                ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset)
            }
            throw ConfigurationError(problems: ordered.map(\.element))
        }
        return configuration
    }

    private mutating func read(_ root: Node, _ reader: inout ConfigurationReader, environment: [String: String]) {
        let keys = Setting.allCases.map(\.rawValue)
        guard let values = reader.mapping(root, "", keys: keys, remedy: "write it as lines of key: value") else {
            return
        }
        for setting in Setting.allCases {
            guard let node = values[setting.rawValue] else { continue }
            read(setting, node, &reader, environment: environment)
        }
    }

    private mutating func read(
        _ setting: Setting, _ node: Node, _ reader: inout ConfigurationReader, environment: [String: String]
    ) {
        let path = setting.rawValue
        switch setting {
        case .cluster:
            let remedy = "write 1 to 64 of A–Z a–z 0–9 . _ -"
            guard let text = reader.text(node, path, remedy: remedy) else { return }
            if NodeID(text) == nil {
                reader.report(node, path, "\(node.quotedText) is not a cluster's name", remedy)
            } else {
                clusterID = text
            }
        case .model: modelPath = reader.path(node, path, environment: environment) ?? modelPath
        case .http:
            let remedy = "write it as 127.0.0.1:8080"
            guard let text = reader.text(node, path, remedy: remedy) else { return }
            guard let endpoint = HostPort(text) else {
                return reader.report(node, path, "\(node.quotedText) is not an address and a port", remedy)
            }
            (httpHost, httpPort) = (endpoint.host, endpoint.port)
        case .control: controlEndpoint = reader.endpoint(node, path) ?? controlEndpoint
        case .data: dataEndpoint = reader.endpoint(node, path) ?? dataEndpoint
        case .weights: weightsEndpoint = reader.endpoint(node, path) ?? weightsEndpoint
        case .advertise:
            let remedy = "write this machine's name or address, such as 192.168.1.10"
            guard let text = reader.text(node, path, remedy: remedy) else { return }
            guard let endpoint = HostPort("\(text):0"), !endpoint.isWildcard else {
                return reader.report(node, path, "\(node.quotedText) is not a host", remedy)
            }
            advertisedHost = text
        case .security: security = reader.choice(node, path) ?? security
        case .httpSecurity:
            if let choice: ClientSecurity = reader.choice(node, path) { wantsClientKeys = choice == .keys }
        case .keys: keysFolder = reader.path(node, path, environment: environment) ?? keysFolder
        case .workers: selection = reader.workers(node, path) ?? selection
        case .placement:
            plansPlacement = node.plainOrQuotedText == "auto"
            if !plansPlacement { placement = reader.placement(node, path) }
        case .replicas: replicaCount = reader.wholeNumber(node, path, in: 1...64) ?? replicaCount
        case .objective: objective = reader.choice(node, path) ?? objective
        case .concurrency: concurrency = reader.wholeNumber(node, path, in: 1...65_536)
        case .measureLinks: measuresLinks = reader.flag(node, path) ?? measuresLinks
        case .planning: planning = reader.planning(node, path) ?? planning
        case .activationGrid: activationGrid = reader.choice(node, path) ?? activationGrid
        case .head: headPrecision = reader.choice(node, path) ?? headPrecision
        case .contextLength: contextLength = reader.wholeNumber(node, path, in: 1...(1 << 24)) ?? contextLength
        case .keyValueTokens:
            keyValueTokenCapacity = reader.wholeNumber(node, path, in: 256...(1 << 30)) ?? keyValueTokenCapacity
        case .maximumRunning: maximumRunningCount = reader.wholeNumber(node, path, in: 1...256) ?? maximumRunningCount
        case .queueLimit: queueLimit = reader.wholeNumber(node, path, in: 0...4096) ?? queueLimit
        case .reusePrefixes: reusesPrefixes = reader.flag(node, path) ?? reusesPrefixes
        case .stepRows: maximumStepRowCount = reader.wholeNumber(node, path, in: 1...8192)
        case .heartbeatSeconds: heartbeatInterval = reader.seconds(node, path, in: 0.01...60) ?? heartbeatInterval
        case .detectionSeconds: detectionBound = reader.seconds(node, path, in: 0.1...3600) ?? detectionBound
        case .stepTimeoutSeconds: stepTimeout = reader.seconds(node, path, in: 1...3600) ?? stepTimeout
        case .loadingTimeoutSeconds: loadingTimeout = reader.seconds(node, path, in: 1...86400) ?? loadingTimeout
        case .probeSeconds: probeInterval = reader.seconds(node, path, in: 0.1...3600) ?? probeInterval
        case .replanSeconds: replanDelay = reader.seconds(node, path, in: 0...3600) ?? replanDelay
        case .failoverSeconds: outageLimit = reader.seconds(node, path, in: 0...86400) ?? outageLimit
        case .rebuildLimit: rebuildLimit = reader.wholeNumber(node, path, in: 0...1000) ?? rebuildLimit
        case .rebalance: rebalancing = reader.choice(node, path) ?? rebalancing
        case .state:
            keepsState = node.plainOrQuotedText != "none"
            stateFolder = keepsState ? reader.path(node, path, environment: environment) ?? stateFolder : nil
        case .streamKeepSeconds: streamKeeping = reader.seconds(node, path, in: 0...86400) ?? streamKeeping
        case .streamKeepCount: keptStreamCount = reader.wholeNumber(node, path, in: 0...4096) ?? keptStreamCount
        case .spares: spares = reader.choice(node, path) ?? spares
        case .rebalanceSeconds: rebalancingDelay = reader.seconds(node, path, in: 0...86400) ?? rebalancingDelay
        case .shutdownSeconds: shutdownLimit = reader.seconds(node, path, in: 0...86400) ?? shutdownLimit
        }
    }
}

extension YamlError {
    var lineAndProblem: (line: Int?, problem: String) {
        switch self {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, problem)
        case .reader(let problem, _, _, _): (nil, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            (context.mark.line, "\(duplicates.sorted().joined(separator: ", ").shortened) appears more than once")
        default: (nil, "it cannot be parsed")
        }
    }
}
