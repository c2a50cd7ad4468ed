/// Why a cluster on this machine could not be started or did not keep up.
public enum LocalClusterError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A program of the cluster is not where it should be.
    case missingProgram(path: String)
    case cannotStart(program: String, reason: String)
    /// The coordinator did not say where it listens.
    case noAddress(afterSeconds: Int)
    /// What the coordinator said is not an address.
    case unexpectedAddress(String)
    /// The cluster did not become ready.
    case notReady(afterSeconds: Int, reason: String)
    /// A worker could not load its part or did not pass the first tokens on, and will not be able to.
    case startFailed(worker: String, reason: String)
    /// The coordinator ended in good order, as after `ryz shutdown`.
    case shutDown
    /// A child ended before it was asked to.
    case childEnded(name: String, status: ExitStatus)

    public var description: String {
        switch self {
        case .missingProgram(let path): "\(path): no such program; build all of the package with `swift build`"
        case .cannotStart(let program, let reason): "\(program): cannot be started: \(reason)"
        case .noAddress(let seconds): "ryz-coord did not say within \(seconds) s where it listens; see its log above"
        case .unexpectedAddress(let line):
            "ryz-coord said '\(line)', which is no address; build all of the package with `swift build`"
        case .notReady(let seconds, let reason): "the cluster is not ready after \(seconds) s: \(reason)"
        case .startFailed(let worker, let reason): "\(worker) failed while the cluster started: \(reason)"
        case .shutDown: "the cluster was shut down"
        case .childEnded(let name, let status): "\(name) ended early (\(status)); see its log above"
        }
    }
}
