/// Why a worker ended otherwise than asked to.
public enum WorkerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The coordinator does not take this worker; the reason in its words.
    case refused(coordinator: String, reason: String)
    /// The coordinator is of another release.
    case otherVersion(coordinator: String, theirs: UInt32, ours: UInt32)
    /// A configuration value that can't be used.
    case configuration(String)
    /// A socket or thread could not be made or broke.
    case system(String)
    /// `run()` was called a second time.
    case alreadyRan

    public var description: String {
        switch self {
        case .refused(let coordinator, let reason): "the coordinator at \(coordinator) refused this worker: \(reason)"
        case .otherVersion(let coordinator, let theirs, let ours):
            "the coordinator at \(coordinator) speaks protocol version \(theirs), this worker version \(ours); install "
                + "the same release on both"
        case .configuration(let problem): problem
        case .system(let problem): problem
        case .alreadyRan: "a worker runs once; make another one"
        }
    }
}
