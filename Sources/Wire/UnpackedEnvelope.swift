import CClusterProto
import CProtobufC
import Glibc
import Transport

/// Owner of an envelope in protobuf-c's own structs.
struct UnpackedEnvelope: ~Copyable {
    private let message: UnsafeMutablePointer<Ryz__V1__Envelope>
    private let allocator: BudgetedAllocator

    /// What `reader` makes of the envelope; the structs stay in place until it is done.
    borrowing func read(_ reader: EnvelopeReader) throws(WireError) -> Envelope {
        try reader.envelope(message)
    }

    /// Unpacks `bytes`, whose length the caller has bounded.
    init(_ bytes: RawSpan, limits: WireLimits) throws(WireError) {
        let byteLimit = limits.unpackingByteCount(forEnvelopeOf: bytes.byteCount)
        let allocator = BudgetedAllocator(byteLimit: byteLimit)
        let unpacked = bytes.withUnsafeBytes { buffer in
            ryz__v1__envelope__unpack(
                allocator.interface, buffer.count, buffer.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
        guard let unpacked else {
            throw allocator.isExhausted ? .tooComplex(limit: byteLimit) : .malformed
        }
        self.message = unpacked
        self.allocator = allocator
    }

    deinit {
        ryz__v1__envelope__free_unpacked(message, allocator.interface)
    }
}

/// Memory for protobuf-c with a limit on the bytes handed out in all.
///
/// `protobuf_c_message_unpack` allocates for every field it scans and for every part it unpacks, and joins repeated
/// copies of a part by copying what there is again. Freed bytes are not given back to the budget, so it bounds the
/// time spent on such input, too.
final class BudgetedAllocator {
    let interface: UnsafeMutablePointer<ProtobufCAllocator>
    private let budget: UnsafeMutablePointer<Budget>

    private struct Budget {
        var remaining: Int
        var isExhausted = false
    }

    init(byteLimit: Int) {
        budget = .allocate(capacity: 1)
        budget.initialize(to: Budget(remaining: byteLimit))
        interface = .allocate(capacity: 1)
        interface.initialize(
            to: ProtobufCAllocator(
                alloc: { data, byteCount in
                    guard let budget = data?.assumingMemoryBound(to: Budget.self) else { return nil }
                    guard byteCount <= budget.pointee.remaining else {
                        budget.pointee.isExhausted = true
                        return nil
                    }
                    budget.pointee.remaining -= byteCount
                    return malloc(byteCount)
                },
                free: { _, pointer in free(pointer) },
                allocator_data: UnsafeMutableRawPointer(budget)))
    }

    deinit {
        interface.deallocate()
        budget.deallocate()
    }

    /// Whether an allocation has been refused.
    var isExhausted: Bool { budget.pointee.isExhausted }
}
