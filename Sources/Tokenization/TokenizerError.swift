import Checkpoints

/// Why a vocabulary cannot be used. A retry helps only after the model file has been replaced.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file could not be read, or a key has a value of the wrong type.
    case checkpoint(CheckpointError)
    /// The vocabulary is of a kind that this program does not tokenise with.
    case unsupported(path: String, CheckpointProblem)
    /// The vocabulary contradicts itself or misses a part.
    case malformed(path: String, CheckpointProblem)

    public var description: String {
        switch self {
        case .checkpoint(let error): error.description
        case .unsupported(let path, let problem), .malformed(let path, let problem): "\(path): \(problem)"
        }
    }
}
