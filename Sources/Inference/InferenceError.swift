import Checkpoints
import Kernels
public import Transport

/// Why a stage could not be made or a step could not be computed.
public enum InferenceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The model's file cannot be read or is not supported.
    case modelLoad(String)
    /// Memory or threads ran out.
    case memory(String)
    /// A step does not fit what this stage holds: its sequences, layers or batch size.
    case distribution(String)
    /// A value of a request makes no sense, such as a token outside the vocabulary.
    case validation(String)
    /// A computation gave an infinity or no number at all.
    case notFinite(String)
    /// Another rank did not do its part. The stage computes nothing more until it is placed anew.
    case exchange(ExchangeError)

    /// Whether doing the same again can help.
    public var isRetryable: Bool {
        switch self {
        case .memory, .distribution, .exchange: true
        case .modelLoad, .validation, .notFinite: false
        }
    }

    public var description: String {
        switch self {
        case .modelLoad(let message), .memory(let message), .distribution(let message), .validation(let message),
            .notFinite(let message):
            message
        case .exchange(let error): error.description
        }
    }

    init(_ error: KernelError) {
        switch error {
        case .outOfMemory, .threads: self = .memory(error.description)
        case .shape, .invalidEnvironment: self = .modelLoad(error.description)
        }
    }
}

/// Runs `body`, lifting the kernels' errors.
func lifting<Result: ~Copyable>(_ body: () throws(KernelError) -> Result) throws(InferenceError) -> Result {
    do { return try body() } catch { throw InferenceError(error) }
}
