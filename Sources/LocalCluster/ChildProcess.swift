import Foundation
import Glibc
import Synchronization

/// A program that this process started and that ends with it: the child watches its standard input, whose other end is
/// held here.
final class ChildProcess: Sendable {
    let name: String
    private let state: Mutex<State>

    private struct State: ~Copyable {
        var process: Process
        var input: Pipe?
    }

    /// Where the child's standard output goes.
    enum Output {
        case standardError
        case pipe(Pipe)
    }

    /// Starts the program. Its log goes to this process's standard error.
    ///
    /// - Parameters:
    ///   - environment: variables that the child has besides this process's own, or with other values.
    ///   - onExit: called once, on a thread of its own, when the child has ended.
    init(
        name: String, program: String, arguments: [String], environment: [String: String] = [:],
        output: Output = .standardError,
        onExit: @escaping @Sendable (ExitStatus) -> Void
    ) throws(LocalClusterError) {
        let process = Process()
        let input = Pipe()
        // No other child may inherit this end: the child would outlive this process by as long.
        let descriptor = input.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input
        process.standardError = FileHandle.standardError
        switch output {
        case .standardError: process.standardOutput = FileHandle.standardError
        case .pipe(let pipe): process.standardOutput = pipe
        }
        process.terminationHandler = { process in
            onExit(ExitStatus(code: process.terminationStatus, isSignal: process.terminationReason == .uncaughtSignal))
        }
        do { try process.run() } catch {
            throw .cannotStart(program: program, reason: error.localizedDescription)
        }
        self.name = name
        state = Mutex(State(process: process, input: input))
    }

    var processID: Int32 { state.withLock { $0.process.processIdentifier } }
    var isRunning: Bool { state.withLock { $0.process.isRunning } }

    /// Asks the child to end, by closing its standard input.
    func closeInput() {
        state.withLock {
            try? $0.input?.fileHandleForWriting.close()
            $0.input = nil
        }
    }

    /// Sends a signal, unless the child has already ended and its number may be another's.
    func send(_ signal: Int32) {
        state.withLock { if $0.process.isRunning { _ = kill($0.process.processIdentifier, signal) } }
    }
}

/// How a child ended.
public struct ExitStatus: Sendable, Equatable, CustomStringConvertible {
    /// The exit code, or the signal's number.
    public var code: Int32
    public var isSignal: Bool

    public var isSuccess: Bool { code == 0 && !isSignal }

    public var description: String { isSignal ? "it was killed by signal \(code)" : "its exit status is \(code)" }
}
