import Synchronization

/// What becomes of a cluster whose worker ends before it was asked to.
public enum WorkerLoss: Sendable {
    /// The cluster ends.
    case endsCluster
    /// It stays away; the cluster goes on as it can.
    case isLeft
    /// It is started anew, later each time.
    case restarts
}

/// Starts the workers of a cluster on this machine, and watches them.
final class WorkerSupervision: Sendable {
    private static let shortestDelay = Duration.seconds(1)
    private static let longestDelay = Duration.seconds(30)
    /// A worker that has run for this long does not end at once each time.
    private static let steadyTime = Duration.seconds(2)

    private struct State {
        /// How to start each worker, by name.
        var launches: [String: @Sendable () throws(LocalClusterError) -> Void] = [:]
        var startTimes: [String: ContinuousClock.Instant] = [:]
        var endCounts: [String: Int] = [:]
        var isReady = false
    }

    private let loss: WorkerLoss
    private let notice: @Sendable (String) -> Void
    private let state = Mutex(State())

    /// - Parameter notice: is told in words what becomes of a worker that has ended.
    init(_ loss: WorkerLoss, notice: @escaping @Sendable (String) -> Void) {
        self.loss = loss
        self.notice = notice
    }

    func start(
        _ name: String, _ launch: @escaping @Sendable () throws(LocalClusterError) -> Void
    ) throws(LocalClusterError) {
        state.withLock { state in
            state.launches[name] = launch
            state.startTimes[name] = .now
        }
        try launch()
    }

    /// The cluster is ready: from now on it may lose workers.
    func noteReady() { state.withLock { $0.isReady = true } }

    /// Decides about children that end, for as long as the cluster runs.
    ///
    /// - Throws: `LocalClusterError.childEnded` if the cluster ends with it, or `CancellationError`.
    func watch(_ children: Children) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await children.watch { exit in
                guard let delay = try restartDelay(after: exit) else { return }
                group.addTask { try await self.restart(exit.name, after: delay) }
            }
        }
    }

    private func restart(_ name: String, after delay: Duration) async throws {
        try await Task.sleep(for: delay)
        guard let launch = state.withLock({ $0.launches[name] }) else { return }
        try start(name, launch)
    }

    /// Nil if the child is not to be started anew.
    private func restartDelay(after exit: Children.Exit) throws(LocalClusterError) -> Duration? {
        let (isReady, endCount) = state.withLock { state -> (Bool, Int?) in
            guard let start = state.startTimes[exit.name] else { return (state.isReady, nil) }
            if start.duration(to: .now) > Self.steadyTime { state.endCounts[exit.name] = 0 }
            state.endCounts[exit.name, default: 0] += 1
            return (state.isReady, state.endCounts[exit.name])
        }
        guard let endCount else {
            if exit.status.isSuccess { throw .shutDown }
            throw .childEnded(name: exit.name, status: exit.status)
        }
        guard isReady, loss != .endsCluster else { throw .childEnded(name: exit.name, status: exit.status) }
        // One that has left in good order was asked to.
        guard loss == .restarts, !exit.status.isSuccess else {
            notice(
                exit.status.isSuccess
                    ? "\(exit.name) has left" : "\(exit.name) ended (\(exit.status)); the cluster goes on without it")
            return nil
        }
        let delay = min(Self.longestDelay, Self.shortestDelay * (1 << min(endCount - 1, 5)))
        notice("\(exit.name) ended (\(exit.status)); it is started anew in \(delay.components.seconds) s")
        return delay
    }
}
