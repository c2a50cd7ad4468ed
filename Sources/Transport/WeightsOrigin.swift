/// Which files a worker takes its weights from.
public enum WeightsOrigin: String, CaseIterable, Sendable {
    /// Its own copy of the model if there is one; else what it needs is fetched.
    case automatic
    /// Its own copy only.
    case local
    /// What was fetched only.
    case fetched
}
