import Kernels

/// One thing that is wrong with a model file.
public struct CheckpointProblem: Equatable, Sendable, CustomStringConvertible {
    /// What it concerns: a metadata key, a tensor, or a part of the file such as `header`.
    public var place: String
    /// Where in the file it shows, in bytes from the start; nil if it is a matter of the model, not of the file's form.
    public var byteOffset: Int?
    /// What is wrong.
    public var problem: String
    /// What to do about it.
    public var remedy: String

    public init(place: String, byteOffset: Int? = nil, problem: String, remedy: String) {
        self.place = place
        self.byteOffset = byteOffset
        self.problem = problem
        self.remedy = remedy
    }

    public var description: String {
        let position = byteOffset.map { "byte \($0): " } ?? ""
        return "\(position)\(place): \(problem); \(remedy)"
    }
}

/// Why a model file cannot be used. A retry helps only after the file has been replaced.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file could not be opened or mapped.
    case unreadable(MappedFileError)
    /// The file does not have the form of a GGUF file: it is damaged, cut short or something else.
    case malformed(path: String, CheckpointProblem)
    /// The file is sound but uses something that this engine does not compute.
    case unsupported(path: String, CheckpointProblem)
    /// Metadata and tensors do not make up one model; everything that was found is listed.
    case inconsistent(path: String, [CheckpointProblem])

    /// The file.
    public var path: String {
        switch self {
        case .unreadable(let error): error.path
        case .malformed(let path, _), .unsupported(let path, _), .inconsistent(let path, _): path
        }
    }

    /// Everything that is wrong, at least one item unless the file could not be opened.
    public var problems: [CheckpointProblem] {
        switch self {
        case .unreadable: []
        case .malformed(_, let problem), .unsupported(_, let problem): [problem]
        case .inconsistent(_, let problems): problems
        }
    }

    /// One line for each problem. Of a long list the first twenty are shown and the rest counted.
    public var description: String {
        if case .unreadable(let error) = self { return error.description }
        let shown = problems.prefix(20).map { "\(path): \($0)" }
        let rest = problems.count - shown.count
        return (shown + (rest > 0 ? ["\(path): and \(rest) more problems"] : [])).joined(separator: "\n")
    }
}
