import Glibc

/// A file of a fixed size that is filled in pieces, in any order; what has not been written takes no room on the disk and
/// reads as zeros. Several processes may fill it at the same time.
public final class SparseFile: Sendable {
    public let path: String
    /// The size in bytes.
    public let byteCount: Int
    private let descriptor: Int32
    /// SEEK_DATA of linux/fs.h, which Glibc's module leaves out.
    private static let seekData: Int32 = 3

    /// Opens the file at `path`, which is made if it is not there, and given its size if it has another. Missing folders are made.
    public init(path: String, byteCount: Int) throws(OutputFileError) {
        try OutputFile.makeFolders(of: path)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw OutputFileError("open", path) }
        self.path = path
        self.byteCount = byteCount
        var status = stat()
        // Never cut short: another process may have it mapped.
        guard fstat(descriptor, &status) == 0 else { throw OutputFileError("fstat", path) }
        guard status.st_size >= byteCount || ftruncate(descriptor, byteCount) == 0 else {
            throw OutputFileError("ftruncate", path)
        }
    }

    deinit { close(descriptor) }

    /// Whether anything was ever written into `range`, as far as the file system tells.
    public func mayHoldData(in range: Range<Int>) -> Bool {
        let data = lseek(descriptor, range.lowerBound, Self.seekData)
        // ENXIO: there is none from here to the end. Anything else is a file system that does not tell.
        return data < 0 ? errno != ENXIO : data < range.upperBound
    }

    /// The bytes in `range`, fewer if the file has become shorter.
    public func read(_ range: Range<Int>) throws(OutputFileError) -> [UInt8] {
        var failure: OutputFileError?
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            while count < range.count {
                let more = pread(descriptor, buffer.baseAddress! + count, range.count - count, range.lowerBound + count)
                if more < 0, errno == EINTR { continue }
                if more < 0 { failure = OutputFileError("read", path) }
                guard more > 0 else { break }
                count += more
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Puts bytes at `offset`; with them, they lie within the file.
    public func write(_ bytes: [UInt8], at offset: Int) throws(OutputFileError) {
        precondition(offset >= 0 && offset + bytes.count <= byteCount)
        try bytes.span.bytes.withUnsafeBytes { (buffer) throws(OutputFileError) in
            var done = 0
            while done < buffer.count {
                let count = pwrite(descriptor, buffer.baseAddress! + done, buffer.count - done, offset + done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw OutputFileError("write", path) }
                done += count
            }
        }
    }
}

/// What files take on a disk.
public enum DiskSpace {
    /// Bytes that the file or folder at `path` takes, holes not counted; 0 if it is not there. Links are not followed.
    public static func allocatedByteCount(at path: String) -> Int {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        return Int(status.st_blocks) * 512
    }

    /// Bytes that this user can still write to the disk with the folder at `path`; nil if that is not known.
    public static func availableByteCount(at path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        return Int(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }
}
