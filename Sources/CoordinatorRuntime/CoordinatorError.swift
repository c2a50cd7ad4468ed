import ClusterCore

/// Why a coordinator could not start or had to stop.
public enum CoordinatorError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Settings that do not fit together, or not the model.
    case configuration([ConfigurationProblem])
    /// The model's layers cannot be placed as wanted.
    case planning(PlanningError)
    /// A socket or a thread could not be had; the text names it, the reason and the remedy.
    case system(String)
    /// The sockets failed while it ran.
    case failed(String)

    public var description: String {
        switch self {
        case .configuration(let problems): problems.map(\.description).joined(separator: "\n")
        case .planning(let error): "workers: \(error)"
        case .system(let reason): reason
        case .failed(let reason): "the coordinator stopped: \(reason)"
        }
    }
}
