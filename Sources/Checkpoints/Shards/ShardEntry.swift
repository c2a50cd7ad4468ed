public import Kernels
import Synchronization

/// A chunk of one of the files of a manifest.
public struct ShardChunk: Hashable, Sendable {
    /// Position in the manifest's list of files.
    public var file: Int
    /// Position in the file, in chunks.
    public var index: Int

    public init(file: Int, index: Int) {
        self.file = file
        self.index = index
    }
}

/// The files of one content in the shard cache, as far as they are there. It stays in the cache as long as this lives.
///
/// There is no list of the chunks that are there: what counts is whether the bytes where a chunk belongs have its
/// digest. So it makes no difference whether something was never written, was cut off by a crash, has changed on the disk,
/// or is being written by another process at this moment: such a chunk is fetched.
public final class ShardEntry: Sendable {
    public let manifest: ShardManifest
    /// Of the GGUF file, or of the folder.
    public let modelPath: String

    /// SHA-256 of the manifest.
    public let content: [UInt8]
    private let files: [SparseFile]
    /// Keeps others from making room by it.
    private let use: FileLock
    private let firstPositions: [Int]
    private let seen: Mutex<ChunkSet>

    init(_ manifest: ShardManifest, content: [UInt8], folder: String, use: consuming FileLock) throws(OutputFileError) {
        self.manifest = manifest
        self.content = content
        self.use = use
        firstPositions = manifest.firstPositions
        seen = Mutex(ChunkSet(none: manifest.chunkCount))
        var files: [SparseFile] = []
        for file in manifest.files {
            files.append(try SparseFile(path: "\(folder)/\(file.name)", byteCount: file.byteCount))
        }
        self.files = files
        // A folder has a configuration beside its weights.
        modelPath = files.count == 1 ? files[0].path : folder
    }

    /// What is needed to open the model.
    public var openingChunks: [ShardChunk] {
        manifest.files.indices.flatMap { file in
            manifest.files[file].chunks.indices.filter { manifest.files[file].chunks[$0].isNeededToOpen }
                .map { ShardChunk(file: file, index: $0) }
        }
    }

    /// The chunks in which these ranges of files lie, in the order of the files, each once.
    public func chunks(holding ranges: [ModelByteRange]) -> [ShardChunk] {
        var chunks: Set<ShardChunk> = []
        for range in ranges where !range.bytes.isEmpty {
            guard let file = files.firstIndex(where: { $0.path == range.file.path }) else {
                preconditionFailure("\(range.file.path) is no file of the model in \(modelPath)")
            }
            let first = range.bytes.lowerBound / ShardManifest.chunkByteCount
            let last = (range.bytes.upperBound - 1) / ShardManifest.chunkByteCount
            for index in first...last { chunks.insert(ShardChunk(file: file, index: index)) }
        }
        return chunks.sorted { ($0.file, $0.index) < ($1.file, $1.index) }
    }

    /// The chunks that were right when they were last looked at, by this process.
    public var held: ChunkSet { seen.withLock(\.self) }

    /// Bytes of them.
    public var heldByteCount: Int {
        let held = held
        return manifest.files.indices.reduce(0) { sum, file in
            manifest.files[file].chunks.indices.reduce(sum) { sum, index in
                held.contains(firstPositions[file] + index)
                    ? sum + manifest.byteRange(file: file, chunk: index).count : sum
            }
        }
    }

    /// Where a chunk is in `held`.
    public func position(of chunk: ShardChunk) -> Int { firstPositions[chunk.file] + chunk.index }

    /// Takes over what was seen of the same content through another entry, as far as it is still there.
    public func adopt(_ held: ChunkSet) {
        for file in files.indices {
            for index in manifest.files[file].chunks.indices where held.contains(firstPositions[file] + index) {
                let chunk = ShardChunk(file: file, index: index)
                if mayHold(chunk) { note(chunk, isRight: true) }
            }
        }
    }

    /// Whether something was ever written in the place of a chunk, right or not.
    public func mayHold(_ chunk: ShardChunk) -> Bool {
        files[chunk.file].mayHoldData(in: manifest.byteRange(file: chunk.file, chunk: chunk.index))
    }

    /// The bytes of a chunk that is held; nil if they are not there any more. Whoever gets them has to check them.
    public func bytes(of chunk: ShardChunk) -> [UInt8]? {
        seen.withLock { $0.contains(position(of: chunk)) } ? read(chunk) : nil
    }

    private func read(_ chunk: ShardChunk) -> [UInt8]? {
        let range = manifest.byteRange(file: chunk.file, chunk: chunk.index)
        guard let bytes = try? files[chunk.file].read(range), bytes.count == range.count else { return nil }
        return bytes
    }

    private func note(_ chunk: ShardChunk, isRight: Bool) {
        let position = position(of: chunk)
        seen.withLock { if isRight { $0.insert(position) } else { $0.remove(position) } }
    }

    public func byteCount(of chunk: ShardChunk) -> Int {
        manifest.byteRange(file: chunk.file, chunk: chunk.index).count
    }

    /// Whether the bytes of a chunk are there, and right.
    public func holds(_ chunk: ShardChunk) -> Bool {
        let wasSeen = seen.withLock { $0.contains(position(of: chunk)) }
        let isRight = mayHold(chunk) && read(chunk)?.sha256 == digest(of: chunk)
        // What was not seen to be right before may be on its way to the disk just now.
        if isRight || wasSeen { note(chunk, isRight: isRight) }
        return isRight
    }

    /// Puts a chunk in its place; false if these are not its bytes.
    public func keep(_ bytes: [UInt8], as chunk: ShardChunk) throws(OutputFileError) -> Bool {
        let range = manifest.byteRange(file: chunk.file, chunk: chunk.index)
        guard bytes.count == range.count, bytes.sha256 == digest(of: chunk) else { return false }
        try files[chunk.file].write(bytes, at: range.lowerBound)
        note(chunk, isRight: true)
        return true
    }

    private func digest(of chunk: ShardChunk) -> [UInt8] { manifest.files[chunk.file].chunks[chunk.index].digest }
}

/// Bytes of one of a model's files.
public struct ModelByteRange: Sendable {
    public var file: MappedFile
    public var bytes: Range<Int>

    public init(file: MappedFile, bytes: Range<Int>) {
        self.file = file
        self.bytes = bytes
    }
}
