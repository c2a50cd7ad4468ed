import Glibc

/// The terminal that standard output goes to. It stands here because the question needs a pointer.
public enum TerminalSize {
    /// Nil if standard output is no terminal, or one that does not say.
    public static var columnCount: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
