import Synchronization
import Transport

/// The compute thread's figures for heartbeats, as of its last step: readable while it computes the next; of its weights
/// as they come.
final class WorkerUsage: Sendable {
    struct Figures: Sendable, Equatable {
        var keyValueTokenCount = 0
        var keyValueTokenCapacity = 0
        /// Since the worker started.
        var computedTokenCount: UInt64 = 0
        var droppedFrameCount: UInt64 = 0
        /// See `Heartbeat.heldPart`.
        var heldPart: UInt64 = 0
        /// Bytes of weights that came over the network since it started.
        var fetchedByteCount: UInt64 = 0
        /// Those of them that came from other workers.
        var fetchedFromWorkersByteCount: UInt64 = 0
        /// How far it is with getting its weights together; nil unless it does so.
        var loading: LoadingProgress?
    }

    private let figures = Mutex(Figures())

    var current: Figures { figures.withLock { $0 } }

    func noteFetched(_ byteCount: Int, from source: NodeID) {
        update { figures in
            figures.fetchedByteCount += UInt64(byteCount)
            if source != .coordinator { figures.fetchedFromWorkersByteCount += UInt64(byteCount) }
        }
    }

    func update(_ change: (inout Figures) -> Void) {
        figures.withLock { change(&$0) }
    }
}
