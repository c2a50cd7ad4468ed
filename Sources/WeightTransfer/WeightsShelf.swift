public import Checkpoints
import Kernels
import Synchronization
import Transport

/// What of one model's files a process has for others: all of them, or what its shard cache holds. Any thread may use it.
///
/// It answers for a server of weights. What belongs to the files and is not known yet, it finds out when it is first asked.
public final class WeightsShelf: Sendable {
    /// What lies there, as others are told.
    public struct Holding: Equatable, Sendable {
        /// Of the model; see `ModelFileReference`.
        public var headerDigest: [UInt8]
        public var byteCount: Int
    }

    private let manifestFolder: String?
    private let onChange: @Sendable () -> Void
    private let stock: Mutex<(any WeightsStock)?>
    /// Beside the stock, so that who asks for it never waits for a disk.
    private let told: Mutex<Holding?>

    /// - Parameters:
    ///   - model: what to give at first; nil for nothing. Its files stay mapped.
    ///   - manifestFolder: where manifests are kept; nil for nowhere.
    ///   - onChange: is called when `holding` has become another.
    public init(
        _ model: ModelFile? = nil, manifestFolder: String?, onChange: @escaping @Sendable () -> Void = {}
    ) {
        self.manifestFolder = manifestFolder
        self.onChange = onChange
        let whole = model.map { WholeModel($0, manifestFolder: manifestFolder) }
        stock = Mutex(whole)
        told = Mutex(whole?.holding)
    }

    /// What lies there, as it was when it was put there, or when `refresh` was called last; nil for nothing.
    public var holding: Holding? { told.withLock(\.self) }

    /// Gives this model's files from now on, and nothing else.
    public func put(_ model: ModelFile) {
        stock.withLock { stock in
            // What is known of it, or is just being found out, still holds.
            if let before = stock as? WholeModel, before.isSame(as: model) { return }
            stock = WholeModel(model, manifestFolder: manifestFolder)
        }
        refresh()
    }

    /// Gives nothing any more: what lay there may be removed from the disk.
    public func clear() {
        stock.withLock { $0 = nil }
        refresh()
    }

    /// Gives from now on what `entry` holds of the model with this header, and nothing else. What is known to be there of the
    /// same content goes on being given.
    public func put(_ entry: ShardEntry, of headerDigest: [UInt8]) {
        stock.withLock { stock in
            if let before = stock as? PartialModel, before.entry.content == entry.content {
                entry.adopt(before.entry.held)
            }
            stock = PartialModel(entry, headerDigest: headerDigest)
        }
        refresh()
    }

    /// Looks how much lies there now.
    public func refresh() {
        let holding = stock.withLock { $0?.holding }
        let isNew = told.withLock { told in
            defer { told = holding }
            return told != holding
        }
        if isNew { onChange() }
    }

    /// Whether something that was asked for is not known yet.
    var hasWork: Bool { stock.withLock { $0?.hasWork ?? false } }

    /// Finds out a little more of it; whether that was the last.
    ///
    /// - Throws: if what was found out cannot be kept; it is there all the same.
    func work() throws(OutputFileError) -> Bool {
        let result = stock.withLock { stock -> Result<Bool, OutputFileError> in
            do throws(OutputFileError) {
                try stock?.work()
                return .success(stock?.hasWork == false)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The answer, and the bytes that ride behind it.
    func answer(_ item: WeightsRequest.Item) -> (WeightsReply.Result, [UInt8]?) {
        stock.withLock { stock in
            guard stock != nil else { return (.problem("it has no weights now; ask again later"), nil) }
            return stock?.answer(item) ?? (Self.otherModel, nil)
        }
    }

    fileprivate static let otherModel = WeightsReply.Result.problem(
        "it serves another model than the one that was assigned; wait until it has assigned this one")
}

/// What a shelf can hold.
protocol WeightsStock: Sendable {
    var headerDigest: [UInt8] { get }
    /// Nil until it has been found out.
    var content: [UInt8]? { get }
    /// Its text; there once the content is known.
    var manifest: [UInt8]? { get }
    /// Which chunks are there, as far as is known.
    var held: ChunkSet { get }
    var heldByteCount: Int { get }
    /// How far it is with finding out the content.
    var progress: LoadingProgress { get }
    /// Why a chunk that it has not cannot be had.
    var absence: String { get }
    /// Whether it was asked for something that it does not know yet.
    var hasWork: Bool { get }
    mutating func work() throws(OutputFileError)
    mutating func noteAsked()
    func bytes(of chunk: ShardChunk) -> [UInt8]?
}

extension WeightsStock {
    var holding: WeightsShelf.Holding {
        WeightsShelf.Holding(headerDigest: headerDigest, byteCount: heldByteCount)
    }

    mutating func answer(_ item: WeightsRequest.Item) -> (WeightsReply.Result, [UInt8]?) {
        if case .content(let digest) = item, digest != headerDigest { return (WeightsShelf.otherModel, nil) }
        noteAsked()
        guard let content, let manifest else { return (.hashing(progress), nil) }
        switch item {
        case .content: return (.content(content), nil)
        case .manifest(content): return (.bytes, manifest)
        case .holdings(content): return (.bytes, held.bytes)
        case .chunk(let chunk) where chunk.content == content:
            return bytes(of: ShardChunk(file: chunk.file, index: chunk.index)).map { (.bytes, $0) }
                ?? (.problem(absence), nil)
        case .manifest, .holdings, .chunk: return (WeightsShelf.otherModel, nil)
        }
    }
}

/// A model whose files are all there. What they hold is hashed when it is first asked for, and kept for the next start.
private struct WholeModel: WeightsStock {
    private let model: ModelFile
    private var maker: ManifestMaker
    private var isAsked = false
    private(set) var content: [UInt8]?
    let held: ChunkSet

    init(_ model: ModelFile, manifestFolder: String?) {
        self.model = model
        maker = ManifestMaker(model, folder: manifestFolder)
        content = maker.bytes.map(ShardManifest.content)
        held = ChunkSet(
            all: model.parts.reduce(0) { $0 + ShardManifest.chunkCount(ofFileOf: $1.file.byteCount) })
    }

    /// Whether these are the very same files.
    func isSame(as other: ModelFile) -> Bool {
        model.headerDigest == other.headerDigest
            && model.parts.map(\.file.identity) == other.parts.map(\.file.identity)
    }

    var headerDigest: [UInt8] { model.headerDigest }
    var manifest: [UInt8]? { maker.bytes }
    var heldByteCount: Int { maker.byteCount }
    var absence: String { "its model has no such chunk; install the same release on all machines" }
    var hasWork: Bool { isAsked && content == nil }

    var progress: LoadingProgress {
        LoadingProgress(doneByteCount: UInt64(maker.hashedByteCount), byteCount: UInt64(maker.byteCount))
    }

    mutating func noteAsked() { isAsked = true }

    mutating func work() throws(OutputFileError) {
        defer { content = maker.bytes.map(ShardManifest.content) }
        try maker.advance()
    }

    func bytes(of chunk: ShardChunk) -> [UInt8]? {
        guard model.parts.indices.contains(chunk.file) else { return nil }
        let file = model.parts[chunk.file].file
        let start = chunk.index * ShardManifest.chunkByteCount
        guard start < file.byteCount else { return nil }
        let range = start..<min(start + ShardManifest.chunkByteCount, file.byteCount)
        defer { file.adviseDontNeed(range) }
        return file.bytes(in: range)
    }
}

/// What the shard cache has of a model: the chunks that this process needed, and, once somebody asks, those that were there
/// before it.
private struct PartialModel: WeightsStock {
    let entry: ShardEntry
    let headerDigest: [UInt8]
    private var isAsked = false
    /// The next chunk to look at.
    private var next = ShardChunk(file: 0, index: 0)

    init(_ entry: ShardEntry, headerDigest: [UInt8]) {
        self.entry = entry
        self.headerDigest = headerDigest
    }

    var content: [UInt8]? { entry.content }
    var manifest: [UInt8]? { entry.manifest.bytes }
    var held: ChunkSet { entry.held }
    var heldByteCount: Int { entry.heldByteCount }
    var progress: LoadingProgress { LoadingProgress(doneByteCount: 0, byteCount: 0) }
    var absence: String { "it does not have that chunk any more" }
    var hasWork: Bool { isAsked && next.file < entry.manifest.files.count }

    mutating func noteAsked() { isAsked = true }

    /// Looks at a chunk that may be there and was not looked at before.
    mutating func work() {
        let held = entry.held
        // Whoever puts something on the shelf waits no longer than for that.
        for _ in 0..<1024 where hasWork {
            let chunk = next
            next.index += 1
            if next.index >= entry.manifest.files[next.file].chunks.count {
                next = ShardChunk(file: next.file + 1, index: 0)
            }
            if !held.contains(entry.position(of: chunk)), entry.mayHold(chunk) {
                _ = entry.holds(chunk)
                return
            }
        }
    }

    func bytes(of chunk: ShardChunk) -> [UInt8]? {
        let files = entry.manifest.files
        guard files.indices.contains(chunk.file), files[chunk.file].chunks.indices.contains(chunk.index) else {
            return nil
        }
        return entry.bytes(of: chunk)
    }
}
