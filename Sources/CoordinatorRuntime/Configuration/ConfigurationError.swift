/// Everything that is wrong with a configuration, at once.
public struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    /// In order of line. At least one.
    public let problems: [ConfigurationProblem]

    /// One line for each problem.
    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// One thing that is wrong: where, what, and what to do about it.
public struct ConfigurationProblem: Equatable, Sendable, CustomStringConvertible {
    /// The file as it was named; nil for what does not come from a file.
    public var file: String?
    /// From 1; nil if the place is not a line.
    public var line: Int?
    /// The setting, such as `workers[2].layers`; empty if the file as a whole is meant.
    public var path: String
    public var problem: String
    public var remedy: String

    /// `cluster.yaml:14: workers[2].layers: problem; remedy`.
    public var description: String {
        let place = [file, line.map(String.init)].compactMap(\.self).joined(separator: ":")
        return [place, path, "\(problem); \(remedy)"].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
