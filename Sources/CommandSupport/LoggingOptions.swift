public import ArgumentParser
public import Logging

/// `--log-level`, common to all programs. Logs go to standard error, results to standard output.
public struct LoggingOptions: ParsableArguments {
    @Option(help: "How much is logged to standard error: trace, debug, info, notice, warning, error or critical.")
    public var logLevel: Logger.Level = .info

    public init() {}

    /// Sends all logs to standard error, and returns the program's own logger. Call it once.
    public func makeLogger(_ label: String) -> Logger {
        let level = logLevel
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return PrintableLogHandler(handler)
        }
        return Logger(label: label)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
