import Kernels
import Transport

/// Makes the manifest of a model's files, a chunk at a time, and keeps it for the next start: as long as the files are the
/// same, they are not read again.
public struct ManifestMaker: Sendable {
    /// The manifest's text, once all has been hashed.
    public private(set) var bytes: [UInt8]?
    public private(set) var hashedByteCount = 0
    /// Of all files.
    public let byteCount: Int

    private let parts: [ModelPart]
    private let path: String?
    private var files: [ShardManifest.File] = []

    /// - Parameter folder: where manifests are kept; nil for nowhere.
    public init(_ model: ModelFile, folder: String?) {
        parts = model.parts
        byteCount = parts.reduce(0) { $0 + $1.file.byteCount }
        let identity = parts.flatMap { Array("\($0.name) \($0.file.identity)\n".utf8) }
        let key = (model.headerDigest + identity).sha256.hexadecimal
        path = folder.map { "\($0)/\(key)" }
        if let path, let kept = Self.kept(at: path) {
            bytes = kept
            hashedByteCount = byteCount
        }
    }

    /// Hashes the next chunk, if any is left.
    ///
    /// - Throws: if the finished manifest cannot be kept; it is there all the same.
    public mutating func advance() throws(OutputFileError) {
        guard bytes == nil else { return }
        let last = files.last
        if last.map({ $0.chunks.count == ShardManifest.chunkCount(ofFileOf: $0.byteCount) }) ?? true {
            let next = parts[files.count]
            files.append(ShardManifest.File(name: next.name, byteCount: next.file.byteCount, chunks: []))
        }
        let file = files.count - 1
        let start = files[file].chunks.count * ShardManifest.chunkByteCount
        let range = start..<min(start + ShardManifest.chunkByteCount, files[file].byteCount)
        let part = parts[file]
        files[file].chunks.append(
            ShardManifest.Chunk(
                digest: (part.file.bytes(in: range) ?? []).sha256,
                isNeededToOpen: part.openingRanges.contains { $0.overlaps(range) }))
        part.file.adviseDontNeed(range)
        hashedByteCount += range.count
        guard hashedByteCount == byteCount else { return }
        let finished = ShardManifest(files: files).bytes
        bytes = finished
        // Before it the content, so that damage shows.
        let content = Array((ShardManifest.content(of: finished).hexadecimal + "\n").utf8)
        if let path { try OutputFile.replace(path, with: content + finished) }
    }

    private static func kept(at path: String) -> [UInt8]? {
        guard let file = try? MappedFile(path: path), file.byteCount <= ShardManifest.maximumByteCount + 65,
            let bytes = file.bytes(in: 0..<file.byteCount), bytes.count > 65
        else { return nil }
        let manifest = Array(bytes[65...])
        guard bytes[..<64].elementsEqual(ShardManifest.content(of: manifest).hexadecimal.utf8) else { return nil }
        return manifest
    }
}
