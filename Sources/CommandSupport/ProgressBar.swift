import Kernels
import Synchronization
public import Transport

/// A bar on the terminal that shows how much of a worker's weights is there, a few times a second at most.
public final class ProgressBar: Sendable {
    private let line = ProgressLine()
    private let shown = Mutex<ContinuousClock.Instant?>(nil)

    public init() {}

    /// Shows how far it is; nil takes the bar away.
    public func show(_ progress: LoadingProgress?) {
        guard let progress else {
            let wasShown = shown.withLock { $0.take() != nil }
            return wasShown ? line.clear() : ()
        }
        let now = ContinuousClock.now
        let isDue = shown.withLock { last in
            if let last, last.duration(to: now) < .milliseconds(100) { return false }
            last = now
            return true
        }
        if isDue { line.show(Self.text(progress, columnCount: TerminalSize.columnCount ?? 80)) }
    }

    /// Such as `weights [#####     ]  50 %, 350 of 700 MiB`, within so many columns.
    static func text(_ progress: LoadingProgress, columnCount: Int) -> String {
        let share = progress.byteCount == 0 ? 0 : Double(progress.doneByteCount) / Double(progress.byteCount)
        let percent = String(Int(share * 100))
        let padding = String(repeating: " ", count: max(0, 3 - percent.count))
        let figures =
            " \(padding)\(percent) %, \(progress.doneByteCount >> 20) of \(progress.byteCount >> 20) MiB"
        let width = min(40, columnCount - figures.count - "weights []".count - 1)
        guard width >= 5 else { return "weights" + figures }
        let filled = Int(share * Double(width))
        return "weights [" + String(repeating: "#", count: filled)
            + String(repeating: " ", count: width - filled) + "]" + figures
    }
}
