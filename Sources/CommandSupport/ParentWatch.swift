import Foundation

/// Ends a child process with its parent, however that ends: the parent holds the other end of the child's standard input.
public enum ParentWatch {
    /// Calls `onEnd` once when standard input is closed.
    public static func start(onEnd: @escaping @Sendable () -> Void) {
        let thread = Thread {
            while let data = try? FileHandle.standardInput.read(upToCount: 4096), !data.isEmpty {}
            onEnd()
        }
        thread.name = "parent-watch"
        thread.start()
    }
}
