import Foundation

/// One line on the terminal that shows how far long work has come, and leaves when it is done. Says nothing where
/// standard error is no terminal.
public struct ProgressLine: Sendable {
    private let isShown: Bool

    public init() { isShown = Terminal.hasErrors }

    /// Replaces the line.
    public func show(_ text: String) { write("\r\u{1B}[K" + text) }

    /// Removes the line.
    public func clear() { write("\r\u{1B}[K") }

    private func write(_ text: String) {
        if isShown { FileHandle.standardError.write(Data(text.utf8)) }
    }
}
