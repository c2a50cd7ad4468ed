import Transport

/// Tokens that are still to go through a pipeline, and those that can still come out of it.
struct TokenWork: Sendable, Equatable {
    /// Of prompts, and of what was generated on pipelines before.
    var knownCount = 0
    /// At most so many are generated.
    var newCount = 0

    static func + (left: TokenWork, right: TokenWork) -> TokenWork {
        TokenWork(knownCount: left.knownCount + right.knownCount, newCount: left.newCount + right.newCount)
    }
}

/// How long a replica takes for tokens, as its own steps show.
struct Pace: Sendable, Equatable {
    /// From a step of one token for each stream to its result: how long each of them waits for a token.
    private(set) var secondsPerNewToken: Double?
    /// For each row of the steps in which prompts go.
    private(set) var secondsPerKnownToken: Double?

    /// Until it is known otherwise, a row of a prompt takes this share of a step that generates.
    private static let knownShare = 0.125
    /// Of steps with fewer rows of prompts most of the time goes to the step itself.
    private static let leastKnownCount = 8
    /// No step is faster.
    private static let leastSeconds = 1e-6
    /// The share of the newest figure.
    private static let weight = 0.125

    init(secondsPerNewToken: Double? = nil, secondsPerKnownToken: Double? = nil) {
        self.secondsPerNewToken = secondsPerNewToken
        self.secondsPerKnownToken = secondsPerKnownToken
    }

    /// A result has come back.
    ///
    /// - Parameter previousResultAt: when the result before it came, or the pipeline began to have work.
    mutating func note(_ step: Step, sentAt: Instant, previousResultAt: Instant, at now: Instant) {
        let longest = step.slices.map(\.tokens.count).max() ?? 0
        if longest == 1 {
            Self.mix(&secondsPerNewToken, sentAt.duration(to: now).secondCount)
        } else if step.rowCount >= Self.leastKnownCount {
            let seconds = max(sentAt, previousResultAt).duration(to: now).secondCount
            Self.mix(&secondsPerKnownToken, seconds / Double(step.rowCount))
        }
    }

    private static func mix(_ figure: inout Double?, _ seconds: Double) {
        let newest = max(leastSeconds, seconds)
        figure = figure.map { $0 + (newest - $0) * weight } ?? newest
    }

    /// How long a replica takes for that much, compared with others.
    ///
    /// - Parameter usualSeconds: for a new token where this replica's own figure is not known.
    func seconds(for work: TokenWork, usualSeconds: Double) -> Double {
        let new = secondsPerNewToken ?? usualSeconds
        let known = secondsPerKnownToken ?? new * Self.knownShare
        return Double(work.newCount) * new + Double(work.knownCount) * known
    }
}
