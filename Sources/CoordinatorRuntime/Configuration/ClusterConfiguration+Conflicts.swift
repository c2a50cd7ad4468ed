import ClusterCore
import Transport

extension ClusterConfiguration {
    /// What does not fit together, whether it comes from a file or a command line; empty if all does.
    public func conflicts() -> [ConfigurationProblem] {
        timeConflicts + memoryConflicts + endpointConflicts + placementConflicts + replicaConflicts + workerConflicts
            + planningConflicts
    }

    private var timeConflicts: [ConfigurationProblem] {
        guard heartbeatInterval * 4 > detectionBound else { return [] }
        return [
            conflict(
                .heartbeatSeconds,
                "\(heartbeatInterval.plainSeconds) is too long to find a loss within "
                    + "detection_seconds (\(detectionBound.plainSeconds))",
                "make it \((detectionBound / 4).plainSeconds) or less")
        ]
    }

    private var memoryConflicts: [ConfigurationProblem] {
        guard let contextLength, let keyValueTokenCapacity else { return [] }
        let needed = Self.wholeBlocks(contextLength)
        guard keyValueTokenCapacity < needed else { return [] }
        return [
            conflict(
                .keyValueTokens,
                "\(keyValueTokenCapacity) cannot hold one sequence of context_length (\(contextLength))",
                "make it \(needed) or more")
        ]
    }

    private var endpointConflicts: [ConfigurationProblem] {
        var problems: [ConfigurationProblem] = []
        var wildcard: Setting?
        let endpoints = [
            (Setting.control, controlEndpoint), (.data, boundDataEndpoint), (.weights, boundWeightsEndpoint),
        ]
        for (setting, endpoint) in endpoints {
            guard let address = HostPort(endpoint: endpoint) else { continue }
            // Without a data endpoint of its own it is the control endpoint's host that is meant, and named already; without
            // one for weights it is that of data.
            if setting == .weights, weightsEndpoint == nil { continue }
            if address.isWildcard, setting != .control {
                wildcard = setting == .data && dataEndpoint == nil ? .control : setting
            }
            if setting == .data, dataEndpoint == nil { continue }
            if security == nil, !address.isLoopback {
                problems.append(
                    conflict(
                        setting, "\(endpoint) leaves this machine, and links are not encrypted",
                        "use 127.0.0.1, or write security: keys, or security: none if you trust the network"))
            }
        }
        if let wildcard, advertisedHost == nil {
            problems.append(
                conflict(
                    wildcard, "it listens on all addresses, so workers cannot tell which one to answer to",
                    "write advertise: with this machine's address"))
        }
        return problems
    }
}

extension ClusterConfiguration {
    func conflict(_ setting: Setting, _ problem: String, _ remedy: String) -> ConfigurationProblem {
        conflict(setting.rawValue, problem, remedy)
    }

    func conflict(_ path: String, _ problem: String, _ remedy: String) -> ConfigurationProblem {
        ConfigurationProblem(file: nil, line: nil, path: path, problem: problem, remedy: remedy)
    }

    /// Where the data plane listens, given or derived.
    var boundDataEndpoint: String { dataEndpoint ?? Self.anyPort(beside: controlEndpoint) }

    /// Where weights are served, given or derived.
    var boundWeightsEndpoint: String { weightsEndpoint ?? Self.anyPort(beside: boundDataEndpoint) }

    private static func anyPort(beside endpoint: String) -> String {
        guard let address = HostPort(endpoint: endpoint) else { return "tcp://127.0.0.1:0" }
        return "tcp://\(HostPort(host: address.host, port: 0))"
    }

    /// `tokenCount` rounded up to whole blocks of KV cache.
    static func wholeBlocks(_ tokenCount: Int) -> Int { (tokenCount + 255) / 256 * 256 }
}

extension Range<Int> {
    /// Both ends included, such as `16–23`.
    var inclusiveText: String { count == 1 ? "\(lowerBound)" : "\(lowerBound)–\(upperBound - 1)" }
}

extension Duration {
    /// Seconds as one writes them: `2`, `0.25`.
    var plainSeconds: String {
        let seconds = secondCount
        return seconds == seconds.rounded() && abs(seconds) < 1e15 ? "\(Int(seconds))" : "\(seconds)"
    }
}
