import Foundation
import Glibc
import Synchronization

/// All child processes of one cluster.
final class Children: Sendable {
    private struct State {
        var all: [ChildProcess] = []
        var isStopping = false
    }

    /// A child that has ended without having been asked to.
    struct Exit: Sendable {
        var name: String
        var status: ExitStatus
    }

    private let state = Mutex(State())
    private let exits: AsyncStream<Exit>
    private let exited: AsyncStream<Exit>.Continuation
    private let stopTimeout: Duration

    init(stopTimeout: Duration) {
        self.stopTimeout = stopTimeout
        (exits, exited) = AsyncStream.makeStream()
    }

    var all: [ChildProcess] { state.withLock { $0.all } }

    /// Starts one more, in place of one of the same name that has ended; does nothing once stopping has begun.
    func start(
        name: String, program: String, arguments: [String], environment: [String: String] = [:],
        output: ChildProcess.Output = .standardError
    ) throws(LocalClusterError) {
        let exited = exited
        try state.withLock { state throws(LocalClusterError) in
            guard !state.isStopping else { return }
            state.all.removeAll { $0.name == name && !$0.isRunning }
            state.all.append(
                try ChildProcess(
                    name: name, program: program, arguments: arguments, environment: environment, output: output
                ) { status in exited.yield(Exit(name: name, status: status)) })
        }
    }

    /// Tells of each child that ends without having been asked to, until that throws or the task is cancelled.
    ///
    /// - Throws: what `handle` throws, or `CancellationError`.
    func watch(_ handle: (Exit) async throws -> Void) async throws {
        for await exit in exits { try await handle(exit) }
        throw CancellationError()
    }

    /// Ends all children: first by closing their input, then with SIGTERM, then with SIGKILL. Returns when none is left.
    func stop() async {
        // Not cut short when the caller is cancelled, which is the usual reason for stopping.
        await Task { await end() }.value
    }

    private func end() async {
        let children = state.withLock { state in
            state.isStopping = true
            return state.all
        }
        // Together: the coordinator sees its workers leave, and workers need not wait for it.
        for child in children { child.closeInput() }
        if await haveEnded(children, within: stopTimeout) { return }
        for child in children { child.send(SIGTERM) }
        if await haveEnded(children, within: stopTimeout) { return }
        for child in children { child.send(SIGKILL) }
        _ = await haveEnded(children, within: stopTimeout)
    }

    private func haveEnded(_ children: [ChildProcess], within timeout: Duration) async -> Bool {
        let clock = ContinuousClock()
        let deadline = clock.now + timeout
        while children.contains(where: \.isRunning) {
            guard clock.now < deadline else { return false }
            try? await clock.sleep(for: .milliseconds(10))
        }
        return true
    }
}
