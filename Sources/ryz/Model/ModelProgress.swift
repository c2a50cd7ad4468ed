import CommandSupport
import ModelTools
import OperatorTools
import Synchronization

/// Shows how far the writing of a model has come, a few times a second at most.
final class ModelProgress: Sendable {
    private let name: String
    private let line = ProgressLine()
    private let shown = Mutex<ContinuousClock.Instant?>(nil)

    init(_ name: String) { self.name = name }

    func show(_ progress: WorkProgress) {
        let now = ContinuousClock.now
        let isDue = shown.withLock { last in
            if let last, last.duration(to: now) < .milliseconds(100) { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let (done, total) = (UInt64(progress.doneByteCount), UInt64(progress.totalByteCount))
        let share = Units.percent(Double(done), of: Double(total))
        line.show("\(name): \(share), \(Units.bytes(done)) of \(Units.bytes(total)), \(progress.what)")
    }

    func clear() { line.clear() }
}
