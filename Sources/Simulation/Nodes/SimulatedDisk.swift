import ClusterCore
import CoordinatorRuntime

/// The disk of the coordinator's machine, with the file of its journal: what was written outlives a process, and what was
/// synced a loss of power.
final class SimulatedDisk {
    /// Linux writes what it was given to the disk after some 30 s, if nobody syncs it before.
    private static let writeBackDelay: Duration = .seconds(35)

    /// Nil if there is no file.
    private(set) var bytes: [UInt8]?
    /// In seconds since 1970, by the machine's clock.
    private(set) var writtenAt = 0
    /// What outlives a loss of power.
    private var syncedByteCount = 0
    /// When it was how long, since it was synced.
    private var lengths: [(at: Instant, byteCount: Int)] = []

    func append(_ new: [UInt8], at now: Instant, second: Int) {
        bytes = (bytes ?? []) + new
        writtenAt = second
        lengths.append((now, bytes?.count ?? 0))
    }

    func cut(to byteCount: Int, second: Int) {
        guard let count = bytes?.count, byteCount < count else { return }
        bytes?.removeLast(count - byteCount)
        syncedByteCount = min(syncedByteCount, byteCount)
        writtenAt = second
    }

    /// Puts a synced file in its place.
    func replace(with bytes: [UInt8], second: Int) {
        self.bytes = bytes
        syncedByteCount = bytes.count
        writtenAt = second
        lengths = []
    }

    /// What was not synced is lost, from anywhere on. The file may have got its length before all of its bytes.
    func losePower(at now: Instant, _ random: inout RandomStream) {
        guard let whole = bytes else { return }
        let old = lengths.last { $0.at.duration(to: now) >= Self.writeBackDelay }?.byteCount ?? 0
        let sure = min(whole.count, max(old, syncedByteCount))
        let keptCount = random.number(in: sure...whole.count)
        let isTorn = random.happens(0.3)
        let emptyCount = random.number(in: 0...min(64, whole.count - keptCount))
        let kept = whole.prefix(keptCount) + [UInt8](repeating: 0, count: isTorn ? emptyCount : 0)
        replace(with: Array(kept), second: writtenAt)
    }
}

/// The disk, as a process of the coordinator sees it: until it ends, perhaps in the middle of a turn.
final class ProcessDisk: JournalStorage {
    private let disk: SimulatedDisk
    private let clock: () -> (now: Instant, second: Int)
    private let tampering: Tampering?
    /// The process ends instead of writing that much more often; nil: not by that.
    var writesLeft: Int?
    /// Whether it has ended.
    private(set) var isDead = false
    /// Told when it ends.
    var died: (() -> Void)?
    let place = "the simulated disk"

    /// - Parameter clock: gives virtual time, and the seconds since 1970 by the machine's clock.
    init(_ disk: SimulatedDisk, tampering: Tampering?, clock: @escaping () -> (now: Instant, second: Int)) {
        self.disk = disk
        self.tampering = tampering
        self.clock = clock
    }

    func read() -> StoredJournal? { disk.bytes.map { StoredJournal(bytes: $0, writtenAt: disk.writtenAt) } }

    func append(_ bytes: [UInt8]) {
        guard mayWrite(), tampering?.append(bytes) ?? true else { return }
        let (now, second) = clock()
        disk.append(bytes, at: now, second: second)
    }

    func cut(to byteCount: Int) {
        if mayWrite() { disk.cut(to: byteCount, second: clock().second) }
    }

    func replace(with bytes: [UInt8]) {
        if mayWrite() { disk.replace(with: bytes, second: clock().second) }
    }

    private func mayWrite() -> Bool {
        if let left = writesLeft {
            writesLeft = left - 1
            if left <= 1, !isDead {
                isDead = true
                died?()
            }
        }
        return !isDead
    }
}
