public import ArgumentParser
import UnixSignals

/// Ends a command in order when the user presses Ctrl-C or the system asks it to terminate.
public enum Interruption {
    /// As shells report it: 128 and the number of SIGINT.
    public static let exitCode = ExitCode(130)

    private enum Outcome<Result: Sendable>: Sendable {
        case ended(Result)
        case interrupted
    }

    /// Runs `body`; cancels it when the process is interrupted, and waits until it has cleaned up.
    ///
    /// - Returns: what `body` returned; nil if the process was interrupted.
    public static func cancelling<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result? {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await withThrowingTaskGroup(of: Outcome<Result>.self) { group in
            group.addTask { .ended(try await body()) }
            group.addTask {
                for await _ in signals { return .interrupted }
                throw CancellationError()
            }
            let first = try await group.next()
            group.cancelAll()
            guard case .ended(let result)? = first else {
                // How the cancelled work ended no longer matters.
                _ = try? await group.next()
                return nil
            }
            return result
        }
    }
}
