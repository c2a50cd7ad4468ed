import CommandSupport
import Foundation
import UnixSignals

/// Lets Ctrl-C stop the answer that is running, and the program when none is.
actor InterruptibleAnswers {
    private var running: Task<String, any Error>?

    /// Takes signals from now on.
    func listen() async {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        Task {
            for await signal in signals { interrupt(signal) }
        }
    }

    /// Runs `body`, whose task an interruption cancels.
    func run(_ body: @escaping @Sendable () async throws -> String) async throws -> String {
        let task = Task { try await body() }
        running = task
        defer { running = nil }
        return try await task.value
    }

    private func interrupt(_ signal: UnixSignal) {
        if signal == .sigint, let running { return running.cancel() }
        // The main task waits for a line, which may never come.
        if Terminal.hasOutput { Terminal.write("\n") }
        exit(Interruption.exitCode.rawValue)
    }
}
