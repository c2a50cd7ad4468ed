/// How long a rank waits for another's part of a step.
public struct ExchangeTimeouts: Equatable, Sendable {
    /// For a step of few rows.
    public var base: Duration
    /// Once more for each so many rows, as computing them takes longer.
    public var rowCount: Int

    public init(base: Duration = .seconds(5), rowCount: Int = 256) {
        self.base = base
        self.rowCount = rowCount
    }

    /// The bound for a step.
    public func timeout(rowCount rows: Int) -> Duration { base * (1 + rows / max(1, rowCount)) }
}

extension Duration {
    /// Seconds, with a decimal, for people.
    var seconds: String {
        let tenths = components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}
