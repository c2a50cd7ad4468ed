import Glibc
import Synchronization

/// Room for packed weights, cut out of large pieces: matrices of a few megabytes lie on huge pages together, without
/// one being half empty for each of them. A piece goes back to the system with the last of its matrices.
struct WeightMemory {
    let base: UnsafeMutableRawPointer
    let byteCount: Int
    private let piece: Piece

    private final class Piece: Sendable {
        let memory: Memory
        /// The first huge page that lies wholly in the piece.
        let start: Int

        init(byteCount: Int, purpose: String) throws(KernelError) {
            let memory = try Memory(byteCount: byteCount + WeightMemory.hugePage, purpose: purpose)
            start =
                (WeightMemory.hugePage - Int(bitPattern: memory.base) % WeightMemory.hugePage) % WeightMemory.hugePage
            self.memory = memory
        }
    }

    private struct Current {
        weak var piece: Piece?
        var used = 0
        var byteCount = 0
    }

    private static let hugePage = 2 << 20
    private static let pieceByteCount = 64 << 20
    private static let current = Mutex(Current())

    /// Zeroes, at an address that is a multiple of 64. `purpose` names the memory in the error.
    init(byteCount: Int, purpose: String) throws(KernelError) {
        (piece, base) = try Self.current.withLock { (current) throws(KernelError) in
            let needed = (byteCount + 63) / 64 * 64
            if let piece = current.piece, needed <= current.byteCount - current.used {
                defer { current.used += needed }
                return (piece, piece.memory.base + piece.start + current.used)
            }
            let size = max(needed, Self.pieceByteCount)
            let piece = try Piece(byteCount: size, purpose: purpose)
            // What a large matrix leaves over of a piece of its own is not worth giving up the current one.
            if size == Self.pieceByteCount { current = Current(piece: piece, used: needed, byteCount: size) }
            return (piece, piece.memory.base + piece.start)
        }
        self.byteCount = byteCount
    }
}
