public import Checkpoints
public import Transport

/// Why weights could not be fetched. Each message names the place, the problem and the remedy.
public enum WeightsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was to be loaded is no longer wanted.
    case abandoned
    /// The socket could not be made, or broke.
    case link(String)
    /// Nothing came any more.
    case silent(Peer, seconds: Int)
    /// What the source says is wrong.
    case refused(Peer, problem: String)
    /// What came again and again had not the digest that it should have.
    case wrongBytes(Peer, file: String)
    case cache(ShardCacheError)
    case checkpoint(CheckpointError)
    /// Who fetches has no use for the model after all.
    case unfit(problem: String, isRetryable: Bool)
    /// The files are not those of the model that was assigned.
    case otherModel(Peer)

    /// Whether trying again later can help.
    public var isRetryable: Bool {
        switch self {
        case .checkpoint: false
        case .unfit(_, let isRetryable): isRetryable
        case .abandoned, .link, .silent, .refused, .wrongBytes, .cache, .otherModel: true
        }
    }

    public var description: String {
        switch self {
        case .abandoned: "its weights are no longer fetched: there is a newer assignment, or it ends"
        case .link(let problem): "its weights cannot be fetched: \(problem)"
        case .silent(let source, let seconds):
            "no weights came from \(source.node) at \(source.dataEndpoint) for \(seconds) s; check that this machine can "
                + "reach it there, or copy the model file here"
        case .refused(let source, let problem): "\(source.node) at \(source.dataEndpoint) gives no weights: \(problem)"
        case .wrongBytes(let source, let file):
            "\(file) has changed on \(source.node) since it was hashed; start that node again"
        case .cache(let error): error.description
        case .checkpoint(let error): error.description
        case .unfit(let problem, _): problem
        case .otherModel(let source):
            "the files on \(source.node) are not those of the model that was assigned; start that node again"
        }
    }
}
