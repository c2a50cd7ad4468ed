import TestSupport
import Testing
import Transport

@testable import Checkpoints
@testable import WeightTransfer

@Suite struct WeightsShelfTests {
    private static let chunkByteCount = ShardManifest.chunkByteCount

    @Test func `requests for what there is not are answered with a problem`() throws {
        let model = try ModelFile(path: Fixtures.ryzTinyPath)
        let shelf = WeightsShelf(model, manifestFolder: nil)
        let nothing = WeightsChunk(content: [UInt8](repeating: 0, count: 32), file: 0, index: 0)
        #expect(!shelf.hasWork)
        for item in [.chunk(nothing), .manifest(content: nothing.content), .holdings(content: nothing.content)] + [
            WeightsRequest.Item.content(headerDigest: model.headerDigest)
        ] {
            guard case (.hashing, nil) = shelf.answer(item) else {
                Issue.record("it is to be hashed first")
                return
            }
        }
        #expect(shelf.hasWork)
        while shelf.hasWork { _ = try shelf.work() }
        guard case .content(let content) = shelf.answer(.content(headerDigest: model.headerDigest)).0 else {
            Issue.record("it has been hashed")
            return
        }
        for item in [
            WeightsRequest.Item.chunk(nothing), .manifest(content: nothing.content),
            .holdings(content: nothing.content),
        ] {
            guard case (.problem, nil) = shelf.answer(item) else {
                Issue.record("that is no content of this model")
                continue
            }
        }
        for (file, index) in [(model.parts.count, 0), (0, 1), (2047, 0), (0, 1 << 24 - 1)] {
            let (result, bytes) = shelf.answer(.chunk(WeightsChunk(content: content, file: file, index: index)))
            guard case .problem = result else {
                Issue.record("chunk \(index) of file \(file)")
                continue
            }
            #expect(bytes == nil)
        }
        #expect(shelf.answer(.chunk(WeightsChunk(content: content, file: 0, index: 0))).1 != nil)
        let chunkCount = model.parts.reduce(0) { $0 + ShardManifest.chunkCount(ofFileOf: $1.file.byteCount) }
        #expect(shelf.answer(.holdings(content: content)).1 == ChunkSet(all: chunkCount).bytes)
    }

    @Test func `an empty shelf has nothing for anyone`() {
        let shelf = WeightsShelf(manifestFolder: nil)
        let digest = [UInt8](repeating: 0, count: 32)
        for item in [WeightsRequest.Item.content(headerDigest: digest), .holdings(content: digest)] {
            guard case (.problem, nil) = shelf.answer(item) else {
                Issue.record("there is nothing")
                continue
            }
        }
        #expect(shelf.holding == nil && !shelf.hasWork)
    }

    /// An entry with three chunks of a model of four, of which it holds the second.
    private static func entry(
        in cache: ShardCache, _ bytes: [UInt8], _ manifest: [UInt8]
    ) throws -> ShardEntry {
        let entry = try cache.makeEntry(ShardManifest.content(of: manifest), manifest: manifest)
        #expect(try entry.keep(Array(bytes[chunkByteCount..<2 * chunkByteCount]), as: ShardChunk(file: 0, index: 1)))
        return entry
    }

    private static func model() -> (bytes: [UInt8], manifest: [UInt8]) {
        let bytes = (0..<4).flatMap { [UInt8](repeating: 10 + $0, count: chunkByteCount) }
        let chunks = (0..<4).map { index in
            ShardManifest.Chunk(
                digest: Array(bytes[index * chunkByteCount..<(index + 1) * chunkByteCount]).sha256,
                isNeededToOpen: false)
        }
        let file = ShardManifest.File(name: "m.gguf", byteCount: bytes.count, chunks: chunks)
        return (bytes, ShardManifest(files: [file]).bytes)
    }

    @Test func `of a part of a model, what was seen to be right is given, and the rest is looked at when one asks`()
        throws
    {
        let home = try TemporaryFolder()
        let cache = ShardCache(folder: home.path + "/shards", limitByteCount: 1 << 30)
        let (bytes, manifest) = Self.model()
        let header = [UInt8](repeating: 9, count: 32)
        // What another process kept, and what a disk made of it.
        do {
            let before = try Self.entry(in: cache, bytes, manifest)
            #expect(try before.keep(Array(bytes[..<Self.chunkByteCount]), as: ShardChunk(file: 0, index: 0)))
        }
        let entry = try Self.entry(in: cache, bytes, manifest)
        let shelf = WeightsShelf(manifestFolder: nil)
        shelf.put(entry, of: header)
        #expect(shelf.holding == WeightsShelf.Holding(headerDigest: header, byteCount: Self.chunkByteCount))
        #expect(!shelf.hasWork)
        #expect(shelf.answer(.content(headerDigest: header)).0 == .content(entry.content))
        #expect(shelf.answer(.holdings(content: entry.content)).1 == [0b10])
        while shelf.hasWork { _ = try shelf.work() }
        #expect(shelf.answer(.holdings(content: entry.content)).1 == [0b11])
        shelf.refresh()
        #expect(shelf.holding?.byteCount == 2 * Self.chunkByteCount)

        func chunk(_ file: Int, _ index: Int) -> [UInt8]? {
            shelf.answer(.chunk(WeightsChunk(content: entry.content, file: file, index: index))).1
        }
        #expect(chunk(0, 1) == Array(bytes[Self.chunkByteCount..<2 * Self.chunkByteCount]))
        for (file, index) in [(0, 2), (0, 4), (1, 0), (0, 1 << 24 - 1)] { #expect(chunk(file, index) == nil) }

        // Another load of the same content goes on giving what the one before did.
        let next = try #require(try cache.entry(entry.content))
        shelf.put(next, of: header)
        #expect(shelf.answer(.holdings(content: entry.content)).1 == [0b11])
    }
}
