public import Checkpoints
import Kernels
public import Transport
import ZeroMQ

/// A model of which the shard cache has what is needed. It stays there as long as the entry lives.
public struct FetchedModel: Sendable {
    public let model: ModelFile
    public let entry: ShardEntry
    /// Bytes of chunks that were needed, and of those that had to be fetched.
    public let neededByteCount: Int
    public var fetchedByteCount: Int { fetchedByteCounts.values.reduce(0, +) }
    /// The latter by who gave them.
    public let fetchedByteCounts: [NodeID: Int]
}

/// Gets together, in the shard cache, what a worker needs of a model's files: takes what is there and right, fetches the rest.
///
/// What the files hold, the coordinator says. Chunks come from other workers where they have them, and otherwise from it.
public final class WeightsFetch {
    private let supply: WeightsSupply
    private let cache: ShardCache
    private let requests: WeightsRequests
    private var fetchedByteCounts: [NodeID: Int] = [:]
    private var doneByteCount = 0

    /// How often wrong bytes are asked for again.
    private static let repetitionLimit = 3

    public init(
        _ supply: WeightsSupply, cache: ShardCache, patience: WeightsPatience = WeightsPatience()
    ) throws(WeightsError) {
        self.supply = supply
        self.cache = cache
        requests = try WeightsRequests(supply, patience: patience)
    }

    /// The model, with all bytes that it is opened with and those that `needs` names.
    ///
    /// - Parameter needs: is given the opened model; may refuse it before any of its weights come.
    public func model(
        _ reference: ModelFileReference, needs: (ModelFile) throws(WeightsError) -> [ModelByteRange]
    ) throws(WeightsError) -> FetchedModel {
        let entry = try entry(of: try content(of: reference))
        supply.shelf?.put(entry, of: reference.headerDigest)
        defer { supply.shelf?.refresh() }
        let opening = entry.openingChunks
        // How much is needed is known when it is open.
        try fill(entry, opening, totalByteCount: nil)
        // There is something now, and soon more.
        supply.shelf?.refresh()
        let header = try open(entry, reference)
        let chunks = entry.chunks(holding: try needs(header))
        let neededByteCount = byteCount(of: Array(Set(chunks + opening)), entry)
        let known = Set(opening)
        try fill(entry, chunks.filter { !known.contains($0) }, totalByteCount: neededByteCount)
        // Scales may have come only now.
        return FetchedModel(
            model: try open(entry, reference), entry: entry, neededByteCount: neededByteCount,
            fetchedByteCounts: fetchedByteCounts)
    }

    private func content(of reference: ModelFileReference) throws(WeightsError) -> [UInt8] {
        var content: [UInt8] = []
        try requests.run([.content(headerDigest: reference.headerDigest)]) { _, result, _, _ in
            guard case .content(let answer) = result else { return .again }
            content = answer
            return .taken
        }
        return content
    }

    private func entry(of content: [UInt8]) throws(WeightsError) -> ShardEntry {
        if let entry = try caching({ () throws(ShardCacheError) in try cache.entry(content) }) { return entry }
        var manifest: [UInt8] = []
        try requests.run([.manifest(content: content)]) { _, _, payload, _ in
            guard let payload, payload.byteCount <= ShardManifest.maximumByteCount else {
                return .again
            }
            manifest = payload.bytes
            return .taken
        }
        return try caching { () throws(ShardCacheError) in try cache.makeEntry(content, manifest: manifest) }
    }

    /// Checks the chunks that are there and fetches the others.
    private func fill(_ entry: ShardEntry, _ chunks: [ShardChunk], totalByteCount: Int?) throws(WeightsError) {
        var missing: [ShardChunk] = []
        for chunk in chunks {
            if supply.isAbandoned() { throw .abandoned }
            if entry.holds(chunk) {
                note(entry.byteCount(of: chunk), of: totalByteCount)
            } else {
                missing.append(chunk)
            }
        }
        try caching { () throws(ShardCacheError) in try cache.makeRoom(for: byteCount(of: missing, entry)) }
        var repetitionCount = 0
        try requests.run(missing, of: entry) { index, _, payload, source throws(WeightsError) in
            let chunk = missing[index]
            guard let payload, try keep(payload, as: chunk, in: entry) else {
                // Who else sends wrong bytes is asked no more; there is only one coordinator.
                if source == supply.source { repetitionCount += 1 }
                guard repetitionCount <= Self.repetitionLimit else {
                    throw .wrongBytes(supply.source, file: entry.manifest.files[chunk.file].name)
                }
                return .again
            }
            fetchedByteCounts[source.node, default: 0] += payload.byteCount
            supply.noteFetched(payload.byteCount, source.node)
            note(payload.byteCount, of: totalByteCount)
            return .taken
        }
    }

    private func keep(
        _ payload: any Payload, as chunk: ShardChunk, in entry: ShardEntry
    ) throws(WeightsError) -> Bool {
        do throws(OutputFileError) {
            return try entry.keep(payload.bytes, as: chunk)
        } catch {
            throw .cache(.file(error))
        }
    }

    private func note(_ byteCount: Int, of totalByteCount: Int?) {
        doneByteCount += byteCount
        guard let totalByteCount else { return }
        supply.report(
            LoadingProgress(
                doneByteCount: UInt64(min(doneByteCount, totalByteCount)), byteCount: UInt64(totalByteCount)))
    }

    private func open(_ entry: ShardEntry, _ reference: ModelFileReference) throws(WeightsError) -> ModelFile {
        let model: ModelFile
        do throws(CheckpointError) { model = try ModelFile(path: entry.modelPath) } catch { throw .checkpoint(error) }
        guard model.headerDigest == reference.headerDigest, model.byteCount == Int(clamping: reference.byteCount)
        else { throw .otherModel(supply.source) }
        return model
    }

    private func byteCount(of chunks: [ShardChunk], _ entry: ShardEntry) -> Int {
        chunks.reduce(0) { $0 + entry.byteCount(of: $1) }
    }

    private func caching<Result>(
        _ body: () throws(ShardCacheError) -> Result
    ) throws(WeightsError) -> Result {
        do throws(ShardCacheError) { return try body() } catch { throw .cache(error) }
    }
}
