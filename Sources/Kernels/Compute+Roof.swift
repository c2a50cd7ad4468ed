import CKernels

/// A region of memory to read, for measuring how fast this machine can.
public struct ReadBuffer: ~Copyable {
    let memory: Memory

    public var byteCount: Int { memory.byteCount }

    /// Touches every page, so that reads come from memory and not from the zero page.
    public init(byteCount: Int) throws(KernelError) {
        memory = try Memory(byteCount: byteCount, purpose: "the read benchmark")
        memory.base.initializeMemory(as: UInt8.self, repeating: 1, count: byteCount)
    }
}

extension Compute {
    /// Reads the whole buffer once over all threads; the checksum keeps the reads alive.
    @discardableResult
    public func read(_ buffer: borrowing ReadBuffer) -> UInt64 {
        ryz_stream_read(raw, buffer.memory.base, buffer.memory.byteCount)
    }

    /// Bytes a second that all threads read, in some rounds.
    public func readRate(_ buffer: borrowing ReadBuffer, rounds: Int, _ round: Round = .best) -> Double {
        round.of(
            (0..<rounds).map { _ in
                Double(buffer.byteCount) / max(ContinuousClock().measure { read(buffer) } / .seconds(1), 1e-9)
            })
    }

    /// Runs 8-bit dot products on registers; returns the multiply–adds of all threads.
    public func dotPeak(iterations: UInt64) -> UInt64 {
        ryz_dot_peak(raw, iterations) * UInt64(threadCount)
    }
}
