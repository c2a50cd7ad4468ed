import Glibc

/// Why a file could not be mapped. Each message names the path, the problem and what to do.
public enum MappedFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// `operation` (`open`, `fstat` or `mmap`) failed with `errnoText`.
    case system(operation: String, path: String, errnoText: String)
    /// A directory, device, pipe or socket.
    case notRegular(path: String)
    /// A file of no bytes.
    case empty(path: String)

    /// The file that was asked for.
    public var path: String {
        switch self {
        case .system(_, let path, _), .notRegular(let path), .empty(let path): path
        }
    }

    public var description: String {
        switch self {
        case .system(let operation, let path, let errnoText):
            "\(path): \(operation) failed: \(errnoText); check the path and its permissions"
        case .notRegular(let path): "\(path): not a regular file; give the path of a file"
        case .empty(let path): "\(path): the file is empty; fetch or copy it again"
        }
    }
}

/// A whole file, mapped read-only for as long as this object lives.
///
/// Every accessor checks its bounds against the size that the file had when it was opened. Truncating the file while
/// it is mapped is not covered: the kernel then answers a read with SIGBUS. Replace a model by renaming a new file over
/// it, never by writing into it.
public final class MappedFile: Sendable {
    /// The path as it was given.
    public let path: String
    /// The size in bytes, at least 1.
    public let byteCount: Int
    /// What tells this file, as it was when it was opened, from others and from itself after a change: device, inode, size
    /// and time of the last change.
    public let identity: String
    /// The first byte. The mapping is never written to and lives as long as the object, so sharing it is sound.
    @usableFromInline nonisolated(unsafe) let base: UnsafeRawPointer

    /// Maps the file at `path`.
    public init(path: String) throws(MappedFileError) {
        // O_NONBLOCK: opening a pipe must not wait for a writer. It means nothing for a regular file.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.failure(of: "open", path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.failure(of: "fstat", path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
        guard status.st_size > 0 else { throw .empty(path: path) }
        let size = Int(status.st_size)
        guard let mapping = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), mapping != MAP_FAILED else {
            throw Self.failure(of: "mmap", path)
        }
        self.path = path
        byteCount = size
        let changed = status.st_mtim
        identity = "\(status.st_dev) \(status.st_ino) \(size) \(changed.tv_sec).\(changed.tv_nsec)"
        base = UnsafeRawPointer(mapping)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
    }

    private static func failure(of operation: String, _ path: String) -> MappedFileError {
        // Since glibc 2.32, strerror's buffer belongs to the calling thread.
        .system(operation: operation, path: path, errnoText: String(cString: strerror(errno)))
    }

    /// Whether all of `range` lies within the file.
    @inlinable public func contains(_ range: Range<Int>) -> Bool {
        range.lowerBound >= 0 && range.upperBound <= byteCount
    }

    /// The little-endian integer at `offset`, which needs no alignment; nil if any of its bytes is outside the file.
    @inlinable public func integer<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type) -> T? {
        guard offset >= 0, offset <= byteCount, byteCount - offset >= MemoryLayout<T>.size else { return nil }
        return T(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A copy of the bytes in `range`; nil if any is outside the file.
    public func bytes(in range: Range<Int>) -> [UInt8]? {
        guard contains(range) else { return nil }
        return Array(UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count))
    }

    /// The text in `range`; nil if any of it is outside the file or is not UTF-8.
    public func string(in range: Range<Int>) -> String? {
        guard contains(range) else { return nil }
        return String(
            validating: UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count), as: UTF8.self)
    }

    /// The text in `range`, with U+FFFD for what is not UTF-8; nil if any of it is outside the file.
    public func repairedString(in range: Range<Int>) -> String? {
        guard contains(range) else { return nil }
        return String(
            decoding: UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count), as: UTF8.self)
    }

    /// Calls `body` with the bytes in `range`, without copying; nil if any of them is outside the file.
    @inlinable public func withBytes<Result: ~Copyable, Failure: Error>(
        in range: Range<Int>, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        guard contains(range) else { return nil }
        let start = (base + range.lowerBound).assumingMemoryBound(to: UInt8.self)
        return try body(Span(_unsafeStart: start, count: range.count))
    }

    /// Tells the kernel that `range` will be read soon. Out-of-file ranges and refusals are ignored: it is advice.
    public func adviseWillNeed(_ range: Range<Int>) {
        guard contains(range), !range.isEmpty else { return }
        let page = Int(getpagesize())
        advise(range.lowerBound / page * page..<range.upperBound, MADV_WILLNEED)
    }

    /// Tells the kernel that the whole pages within `range` may leave memory; reading them later fetches them again.
    public func adviseDontNeed(_ range: Range<Int>) {
        guard contains(range) else { return }
        let page = Int(getpagesize())
        let start = (range.lowerBound + page - 1) / page * page
        let end = range.upperBound == byteCount ? byteCount : range.upperBound / page * page
        if start < end { advise(start..<end, MADV_DONTNEED) }
    }

    private func advise(_ range: Range<Int>, _ advice: Int32) {
        madvise(UnsafeMutableRawPointer(mutating: base + range.lowerBound), range.count, advice)
    }
}
