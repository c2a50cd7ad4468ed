import Transport

/// How ranks wait for each other: for how long, until when, and what they say when it was in vain.
public struct ExchangeWait {
    /// Of the ranks, for errors.
    private let names: [String]
    private let base: Duration
    private let isAbandoned: () -> Bool

    /// How long a wait goes on before it looks whether it has been given up.
    private static let slice: Duration = .milliseconds(20)
    /// Rows that make up for one more time-out, as computing them takes longer.
    private static let rowsPerTimeout = 256

    /// - Parameters:
    ///   - names: what errors call the ranks.
    ///   - timeout: for a step of few rows; once more for each 256 of them.
    ///   - isAbandoned: whether the stage is no longer wanted, so that waiting is pointless.
    public init(names: [String], timeout: Duration = .seconds(5), isAbandoned: @escaping () -> Bool = { false }) {
        self.names = names
        base = timeout
        self.isAbandoned = isAbandoned
    }

    func timeout(rowCount: Int) -> Duration { base * (1 + rowCount / Self.rowsPerTimeout) }

    /// Whether `isDone` came to say so, within `timeout` and before the stage was given up. It is given the time that it
    /// may take.
    func until(_ timeout: Duration, _ isDone: (Duration) -> Bool) -> Bool {
        if isDone(min(timeout, Self.slice)) { return true }
        let deadline = ContinuousClock.now + timeout
        while !isAbandoned() {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return false }
            if isDone(min(left, Self.slice)) { return true }
        }
        return false
    }

    func error(_ step: StepID, rank: Int, _ problem: String, _ timeout: Duration) -> ExchangeError {
        let ending = isAbandoned() ? "before the stage was given up" : "within \(timeout.tenths) s"
        return ExchangeError(
            rank: rank, reason: "step \(step.number): rank \(rank), \(names[rank]), \(problem) \(ending)")
    }
}

extension Duration {
    /// Seconds with a decimal, for people.
    fileprivate var tenths: String {
        let tenths = components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
