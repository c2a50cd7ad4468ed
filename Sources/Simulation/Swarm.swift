import Synchronization

/// Many seeds, on all cores.
public struct Swarm: Sendable {
    /// What came of seeds that have run.
    public struct Totals: Sendable {
        public internal(set) var seedCount = 0
        public internal(set) var faults = FaultCounts()
        public internal(set) var virtualSeconds = 0.0
        public internal(set) var longestRecoverySeconds = 0.0
        public internal(set) var messageCount = 0
        public internal(set) var tokenCount = 0
        public internal(set) var reusedTokenCount = 0
        public internal(set) var resumedCount = 0
        public internal(set) var completeCount = 0
        public internal(set) var failedCount = 0
        public internal(set) var abandonedCount = 0
        public internal(set) var epochCount = 0
        /// Of the lowest seed that broke a rule.
        public internal(set) var firstViolation: SimulationReport?

        public init() {}

        public mutating func add(_ report: SimulationReport) {
            seedCount += 1
            faults += report.faults
            virtualSeconds += report.virtualSeconds
            longestRecoverySeconds = max(longestRecoverySeconds, report.recoverySeconds ?? 0)
            messageCount += report.messageCount
            tokenCount += report.tokenCount
            reusedTokenCount += report.reusedTokenCount
            resumedCount += report.resumedCount
            completeCount += report.completeCount
            failedCount += report.failedCount
            abandonedCount += report.abandonedCount
            epochCount += report.epochCount
            if report.violation != nil, report.seed < firstViolation?.seed ?? .max { firstViolation = report }
        }
    }

    public var seeds: Range<UInt64>
    public var workerCount: Int?
    public var faults: Faults

    /// - Parameter workerCount: nil leaves it to each seed.
    public init(seeds: Range<UInt64>, workerCount: Int? = nil, faults: Faults = .all) {
        self.seeds = seeds
        self.workerCount = workerCount
        self.faults = faults
    }

    /// Runs the seeds in order on so many threads, up to the first that breaks a rule or until it is to stop.
    ///
    /// - Parameter progress: hears after each seed of what has been run; false stops.
    public func run(
        threadCount: Int, progress: @escaping @Sendable (Totals) -> Bool = { _ in true }
    ) async -> Totals {
        await run(threadCount: threadCount, tampering: nil, progress: progress)
    }

    package func run(
        threadCount: Int, tampering: Tampering?, progress: @escaping @Sendable (Totals) -> Bool = { _ in true }
    ) async -> Totals {
        let board = Board(seeds)
        await withTaskGroup { group in
            for _ in 0..<max(1, threadCount) {
                group.addTask {
                    while let seed = board.next() {
                        let cluster = SimulatedCluster(
                            seed: seed, workerCount: workerCount, faults: faults, tampering: tampering)
                        board.add(cluster.run(), progress)
                    }
                }
            }
        }
        return board.totals
    }
}

/// Which seeds have run, and what came of them.
private final class Board: Sendable {
    private struct State {
        var seeds: Range<UInt64>
        var totals = Swarm.Totals()
    }

    private let state: Mutex<State>

    init(_ seeds: Range<UInt64>) { state = Mutex(State(seeds: seeds)) }

    var totals: Swarm.Totals { state.withLock(\.totals) }

    /// The next seed; nil if there is none, or one has broken a rule.
    func next() -> UInt64? {
        state.withLock { state in
            guard let seed = state.seeds.first, state.totals.firstViolation == nil else { return nil }
            state.seeds = (seed + 1)..<state.seeds.upperBound
            return seed
        }
    }

    func add(_ report: SimulationReport, _ progress: (Swarm.Totals) -> Bool) {
        state.withLock { state in
            state.totals.add(report)
            if !progress(state.totals) { state.seeds = state.seeds.upperBound..<state.seeds.upperBound }
        }
    }
}
