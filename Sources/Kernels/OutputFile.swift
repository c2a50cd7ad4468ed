import Glibc

/// Why a file could not be written. The message names the path, the problem and what to do.
public struct OutputFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The system call that failed.
    public var operation: String
    public var path: String
    /// What the system says of it, such as `No space left on device`.
    public var reason: String

    public var description: String {
        "\(path): \(operation) failed: \(reason); check the folder, its permissions and the free space"
    }

    init(_ operation: String, _ path: String) {
        self.operation = operation
        self.path = path
        // Since glibc 2.32, strerror's buffer belongs to the calling thread.
        reason = String(cString: strerror(errno))
    }
}

/// A new file, written from its beginning to its end.
public struct OutputFile: ~Copyable {
    public let path: String
    /// Bytes written so far.
    public private(set) var byteCount = 0
    private let descriptor: Int32

    /// Throws if there is a file at `path` already.
    ///
    /// - Parameter isPrivate: only its owner can read it.
    public init(creating path: String, isPrivate: Bool = false) throws(OutputFileError) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, isPrivate ? 0o600 : 0o644)
        guard descriptor >= 0 else { throw OutputFileError("open", path) }
        self.path = path
    }

    deinit { close(descriptor) }

    /// Puts a small file in its place, whole: who reads it sees the old one or the new one, and after a loss of power the new
    /// one if this has returned. Missing folders are made.
    public static func replace(
        _ path: String, with bytes: [UInt8], isPrivate: Bool = false
    ) throws(OutputFileError) {
        try makeFolders(of: path)
        let unfinishedPath = "\(path)\(unfinishedMark)\(UInt64.random(in: 0 ... .max))"
        var file = try OutputFile(creating: unfinishedPath, isPrivate: isPrivate)
        do throws(OutputFileError) {
            try file.write(bytes)
            try file.synchronise()
            guard rename(unfinishedPath, path) == 0 else { throw OutputFileError("rename", path) }
        } catch {
            unlink(unfinishedPath)
            throw error
        }
        try synchroniseFolder(of: path)
    }

    /// Returns when the names in the folder of a file are on the disk.
    private static func synchroniseFolder(of path: String) throws(OutputFileError) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw OutputFileError("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw OutputFileError("fsync", folder) }
    }

    private static let unfinishedMark = ".unfinished-"

    /// Removes what a process has left of the file at `path` that ended in the middle of replacing it. Nobody may be
    /// replacing it meanwhile.
    public static func removeUnfinished(of path: String) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[...$0]) } ?? "./"
        let mark = path[(slash.map(path.index(after:)) ?? path.startIndex)...] + unfinishedMark
        guard let entries = opendir(folder) else { return }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(mark) { unlink(folder + name) }
        }
    }

    /// Makes the folders that a file at `path` lies in, as far as they are missing.
    public static func makeFolders(of path: String) throws(OutputFileError) {
        for slash in path.indices.dropFirst() where path[slash] == "/" {
            let folder = String(path[..<slash])
            guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw OutputFileError("mkdir", folder) }
        }
    }

    /// Appends bytes.
    public mutating func write(_ bytes: RawSpan) throws(OutputFileError) {
        let path = path
        let descriptor = descriptor
        try bytes.withUnsafeBytes { (buffer) throws(OutputFileError) in
            var done = 0
            while done < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress! + done, buffer.count - done)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw OutputFileError("write", path) }
                done += count
            }
        }
        byteCount += bytes.byteCount
    }

    /// Appends bytes.
    public mutating func write(_ bytes: [UInt8]) throws(OutputFileError) { try write(bytes.span.bytes) }

    /// Appends the first `byteCount` bytes of words, in the machine's (little-endian) order.
    public mutating func write(_ words: [UInt64], byteCount: Int) throws(OutputFileError) {
        try write(words.span.bytes.extracting(0..<byteCount))
    }

    /// Returns when the bytes are on the disk, so that a rename after it can only show the whole file.
    public func synchronise() throws(OutputFileError) {
        guard fsync(descriptor) == 0 else { throw OutputFileError("fsync", path) }
    }
}
