import CKernels
import Glibc

/// Memory in which members on one machine, in one process or several, post rounds of bytes for each other.
///
/// Members must agree on the shape. It has no locks: a member writes into its own slots only, and into a slot again once
/// all others say that they have read it.
public final class SharedRegion: Sendable {
    /// How many members there are, how many rounds each may be ahead of the slowest reader, and how much fits a round.
    public struct Shape: Equatable, Sendable {
        public var memberCount: Int
        public var slotCount: Int
        public var slotByteCount: Int

        public init(memberCount: Int, slotCount: Int, slotByteCount: Int) {
            self.memberCount = memberCount
            self.slotCount = slotCount
            self.slotByteCount = slotByteCount
        }

        fileprivate var isValid: Bool {
            (2...Int(RYZ_SHARED_MEMBERS_MAX)).contains(memberCount) && (2...64).contains(slotCount)
                && (1...1 << 28).contains(slotByteCount)
        }

        fileprivate var byteCount: Int { ryz_shared_bytes(memberCount, slotCount, slotByteCount) }
    }

    /// Why members do not have it.
    public enum Problem: Error, Equatable, Sendable {
        /// It is not there, or not whole, yet.
        case notThereYet
        /// What the system says, with the name.
        case system(String)
    }

    public let shape: Shape
    // Set before anyone else has a reference. Nil if it is not this member's to remove.
    nonisolated(unsafe) private var name: String?
    // Written through atomics and by the rules above only; mapped until the last reference goes.
    nonisolated(unsafe) private let base: UnsafeMutableRawPointer
    private var shared: OpaquePointer { OpaquePointer(base) }

    /// For members that are threads of this process.
    public convenience init(anonymous shape: Shape) throws(Problem) {
        try self.init(shape, name: "shared memory", descriptor: -1, flags: MAP_SHARED | MAP_ANONYMOUS)
        ryz_shared_create(shared, shape.memberCount, shape.slotCount, shape.slotByteCount)
    }

    /// For processes of this user on this machine: made by one of them under a name such as `/ryz-1f…`, in place of one of
    /// that name that was left behind.
    public convenience init(creating name: String, _ shape: Shape) throws(Problem) {
        _ = shm_unlink(name)
        let descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.problem("shm_open", name) }
        defer { close(descriptor) }
        guard shape.isValid, ftruncate(descriptor, shape.byteCount) == 0 else { throw Self.problem("ftruncate", name) }
        try self.init(shape, name: name, descriptor: descriptor, flags: MAP_SHARED)
        ryz_shared_create(shared, shape.memberCount, shape.slotCount, shape.slotByteCount)
        self.name = name
    }

    /// Opens what another process made. The last member that does removes the name; if one never comes, the first that
    /// gives the region up does.
    ///
    /// - Throws: `.notThereYet` until it is there.
    public convenience init(opening name: String, _ shape: Shape) throws(Problem) {
        let descriptor = shm_open(name, O_RDWR | O_CLOEXEC, 0)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw .notThereYet }
            throw Self.problem("shm_open", name)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.problem("fstat", name) }
        guard status.st_uid == geteuid(), shape.isValid, status.st_size == shape.byteCount else {
            throw .notThereYet
        }
        try self.init(shape, name: name, descriptor: descriptor, flags: MAP_SHARED)
        guard ryz_shared_is(shared, shape.memberCount, shape.slotCount, shape.slotByteCount) else { throw .notThereYet }
        self.name = name
        // The one that made it counts as well.
        if Int(ryz_shared_attach(shared)) + 1 == shape.memberCount { _ = shm_unlink(name) }
    }

    private init(_ shape: Shape, name: String, descriptor: Int32, flags: Int32) throws(Problem) {
        guard shape.isValid else { throw .system("\(name): no region can have the shape \(shape)") }
        let mapped = mmap(nil, shape.byteCount, PROT_READ | PROT_WRITE, flags, descriptor, 0)
        guard let mapped, mapped != MAP_FAILED else { throw Self.problem("mmap", name) }
        self.shape = shape
        base = mapped
    }

    deinit {
        munmap(base, shape.byteCount)
        if let name { _ = shm_unlink(name) }
    }

    private static func problem(_ operation: String, _ name: String) -> Problem {
        .system("\(name): \(operation) failed: \(String(cString: strerror(errno)))")
    }

    /// The member whose reading holds up the slot that `round` needs, if it still does after the time-out.
    public func lateReader(for round: UInt32, of member: Int, timeout: Duration) -> Int? {
        let late = ryz_shared_late_reader(shared, member, round, Self.nanoseconds(timeout))
        return late < 0 ? nil : Int(late)
    }

    /// Posts bytes, at most as many as a slot has, in a slot that is free; `part` says which of them a member gets.
    public func post(
        _ bytes: RawSpan, tag: UInt64, round: UInt32, of member: Int, part: (_ member: Int) -> Range<Int>
    ) {
        precondition(bytes.byteCount <= shape.slotByteCount && (0..<shape.memberCount).contains(member))
        withUnsafeTemporaryAllocation(of: ryz_shared_part.self, capacity: shape.memberCount) { parts in
            for index in 0..<shape.memberCount {
                let range = part(index)
                precondition(range.lowerBound >= 0 && range.upperBound <= bytes.byteCount)
                parts[index] = ryz_shared_part(offset: UInt32(range.lowerBound), byte_count: UInt32(range.count))
            }
            bytes.withUnsafeBytes { source in
                ryz_shared_post(
                    shared, member, round, tag, parts.baseAddress, source.baseAddress ?? UnsafeRawPointer(base),
                    source.count)
            }
        }
    }

    /// Whether a member has posted a round, at the latest after the time-out.
    public func hasPosted(_ round: UInt32, member: Int, timeout: Duration) -> Bool {
        precondition((0..<shape.memberCount).contains(member))
        return ryz_shared_wait(shared, member, round, Self.nanoseconds(timeout))
    }

    /// Calls `body` with what a member has posted for another, and the tag. They stay until that one finishes the round.
    public func withPost(
        of member: Int, for reader: Int, round: UInt32, _ body: (_ tag: UInt64, RawSpan) -> Void
    ) {
        precondition((0..<shape.memberCount).contains(member) && (0..<shape.memberCount).contains(reader))
        var (tag, byteCount) = (UInt64(0), 0)
        let start = ryz_shared_part_of(shared, member, reader, round, &tag, &byteCount)
        body(tag, RawSpan(_unsafeStart: start ?? UnsafeRawPointer(base), byteCount: start == nil ? 0 : byteCount))
    }

    /// Says that a member has read all it wants of its oldest round.
    public func finish(_ member: Int) { ryz_shared_finish(shared, member) }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return Int64(clamping: seconds) &* 1_000_000_000 &+ attoseconds / 1_000_000_000
    }
}
