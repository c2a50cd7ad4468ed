import Transport

/// Why a peer's benchmark gave no figures.
public enum PeerError: Error, Equatable, Sendable, CustomStringConvertible {
    case cannotStart(program: String, reason: String)
    case failed(program: String, status: Int32, message: String)
    case timedOut(program: String, seconds: Int)
    /// The user pressed Ctrl-C, or the system asked this process to terminate; the peer was killed.
    case interrupted
    /// What it printed is not what llama-bench prints.
    case unexpected(program: String, problem: String)

    public var description: String {
        switch self {
        case .cannotStart(let program, let reason): "\(program): it cannot be started: \(reason); check --peer"
        case .failed(let program, let status, let message):
            "\(program): it ended with status \(status): \(message.printable); check --peer and --peer-model"
        case .timedOut(let program, let seconds):
            "\(program): it did not end within \(seconds) s and was killed; use a smaller model, --prompt or --generate"
        case .interrupted: "interrupted"
        case .unexpected(let program, let problem):
            "\(program): its output is not that of llama-bench -o json: \(problem); give the path of llama-bench"
        }
    }
}
