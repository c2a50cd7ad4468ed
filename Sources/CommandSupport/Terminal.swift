import Foundation
import Glibc

/// What the standard streams are connected to.
public enum Terminal {
    public static var hasOutput: Bool { isatty(STDOUT_FILENO) == 1 }
    public static var hasErrors: Bool { isatty(STDERR_FILENO) == 1 }
    public static var hasInput: Bool { isatty(STDIN_FILENO) == 1 }

    /// Whether standard output may carry colours: it is a terminal, and the user has not set `NO_COLOR`
    /// (https://no-color.org).
    public static var showsColours: Bool {
        hasOutput && (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
    }

    /// Writes to standard output at once, without a line break.
    public static func write(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    /// Writes one line to standard error.
    public static func writeError(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }
}
