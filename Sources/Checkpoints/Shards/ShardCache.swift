import FoundationEssentials
import Kernels
import Transport

/// Parts of models that came from other nodes, kept for the next start: a folder for each content, with the model's files in
/// full size, of which only those chunks take room that were needed here.
///
/// Several processes may use it at the same time. Beyond its limit, the contents that were used longest ago go first; what is in
/// use stays.
public struct ShardCache: Sendable {
    public let folder: String
    /// Bytes on the disk. Nil for as much as there is room; beyond half of what is free or taken by the cache, what nobody
    /// uses goes.
    public let limitByteCount: Int?

    /// How long another process may take to open a content or to make room.
    private static let lockTimeout: Duration = .seconds(60)

    public init(folder: String, limitByteCount: Int? = nil) {
        self.folder = folder
        self.limitByteCount = limitByteCount
    }

    /// What there is of a content; nil if not even its manifest is there.
    public func entry(_ content: [UInt8]) throws(ShardCacheError) -> ShardEntry? {
        try locked { () throws(ShardCacheError) in
            guard let file = try? MappedFile(path: manifestPath(content)),
                file.byteCount <= ShardManifest.maximumByteCount, let bytes = file.bytes(in: 0..<file.byteCount),
                ShardManifest.content(of: bytes) == content, let manifest = ShardManifest(bytes)
            else { return nil }
            return try open(manifest, content)
        }
    }

    /// Begins with a content of which there is nothing yet.
    ///
    /// - Throws: `.notAManifest` if the bytes are none, or not that of the content.
    public func makeEntry(_ content: [UInt8], manifest bytes: [UInt8]) throws(ShardCacheError) -> ShardEntry {
        guard ShardManifest.content(of: bytes) == content, let manifest = ShardManifest(bytes) else {
            throw .notAManifest
        }
        return try locked { () throws(ShardCacheError) in
            do throws(OutputFileError) { try OutputFile.replace(manifestPath(content), with: bytes) } catch {
                throw .file(error)
            }
            return try open(manifest, content)
        }
    }

    /// Makes room for so many more bytes, by removing what nobody uses, the longest unused first.
    ///
    /// - Throws: `.full` if what is in use leaves too little.
    public func makeRoom(for byteCount: Int) throws(ShardCacheError) {
        guard byteCount > 0 else { return }
        try locked { () throws(ShardCacheError) in
            var contents = contents()
            let free = DiskSpace.availableByteCount(at: folder) ?? .max
            var heldByteCount = contents.reduce(0) { $0 + $1.byteCount }
            let limit = limitByteCount ?? (free / 2 + heldByteCount / 2)
            contents.sort { ($0.lastUse, $0.path) < ($1.lastUse, $1.path) }
            var freed = 0
            for content in contents {
                if heldByteCount + byteCount <= limit, byteCount - freed <= free { return }
                guard FileLock(path: content.path + "/" + Self.useName, timeout: .zero) != nil,
                    (try? FileManager.default.removeItem(atPath: content.path)) != nil
                else { continue }
                heldByteCount -= content.byteCount
                freed += content.byteCount
            }
            // The usual limit says what goes, not what may come.
            guard limitByteCount == nil || heldByteCount + byteCount <= limit else {
                throw .full(folder: folder, needed: byteCount, held: heldByteCount, limit: limit)
            }
            guard byteCount - freed <= free else {
                throw .full(folder: folder, needed: byteCount, held: heldByteCount, limit: heldByteCount + free)
            }
        }
    }

    private struct Content {
        var path: String
        var byteCount: Int
        var lastUse: Date
    }

    private static let manifestName = "manifest"
    private static let filesName = "model"
    private static let useName = "in-use"

    private func path(_ content: [UInt8]) -> String { "\(folder)/\(content.hexadecimal)" }
    private func manifestPath(_ content: [UInt8]) -> String { "\(path(content))/\(Self.manifestName)" }

    private func open(_ manifest: ShardManifest, _ content: [UInt8]) throws(ShardCacheError) -> ShardEntry {
        let path = path(content)
        guard let use = FileLock(path: path + "/" + Self.useName, isShared: true, timeout: Self.lockTimeout) else {
            throw .busy(folder: folder)
        }
        // When it was last used; that it cannot be set is no reason to do without the content.
        try? FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: manifestPath(content))
        do throws(OutputFileError) {
            return try ShardEntry(manifest, content: content, folder: "\(path)/\(Self.filesName)", use: use)
        } catch {
            throw .file(error)
        }
    }

    private func contents() -> [Content] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.utf8.count == 64 }.map { name in
            let path = "\(folder)/\(name)"
            let files = (try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(Self.filesName)")) ?? []
            let manifest = "\(path)/\(Self.manifestName)"
            let attributes = try? FileManager.default.attributesOfItem(atPath: manifest)
            return Content(
                path: path,
                byteCount: files.reduce(DiskSpace.allocatedByteCount(at: manifest)) {
                    $0 + DiskSpace.allocatedByteCount(at: "\(path)/\(Self.filesName)/\($1)")
                },
                lastUse: attributes?[.modificationDate] as? Date ?? .distantPast)
        }
    }

    /// One process at a time opens contents and makes room, so that none is removed that is just being opened.
    private func locked<Result>(_ body: () throws(ShardCacheError) -> Result) throws(ShardCacheError) -> Result {
        do throws(OutputFileError) { try OutputFile.makeFolders(of: folder + "/lock") } catch { throw .file(error) }
        guard let lock = FileLock(path: folder + "/lock", timeout: Self.lockTimeout) else {
            throw .busy(folder: folder)
        }
        let result = try body()
        _ = consume lock
        return result
    }
}

/// Why a shard cache could not be used. Each message names the place, the problem and the remedy.
public enum ShardCacheError: Error, Equatable, Sendable, CustomStringConvertible {
    case busy(folder: String)
    case file(OutputFileError)
    /// What came as a manifest is none, or another one.
    case notAManifest
    case full(folder: String, needed: Int, held: Int, limit: Int)

    public var description: String {
        switch self {
        case .busy(let folder):
            "\(folder): another process has held its lock for a minute; see which one does, or whether the folder can be "
                + "written to"
        case .file(let error): error.description
        case .notAManifest: "what came as the model's manifest is none; install the same release on all machines"
        case .full(let folder, let needed, let held, let limit):
            "\(folder): \(needed) more bytes of weights do not fit beside the \(held) in use; the limit is \(limit): raise "
                + "--cache-size, free some of the disk, or give this worker fewer layers"
        }
    }
}
