import Foundation
import Kernels
import TestSupport
import Testing
import Transport

@testable import Checkpoints

@Suite struct ShardCacheTests {
    private static let chunkByteCount = ShardManifest.chunkByteCount

    /// Bytes of a file of some chunks, and its manifest; the last chunk is short.
    private struct Source {
        let bytes: [UInt8]
        let manifest: [UInt8]
        var content: [UInt8] { ShardManifest.content(of: manifest) }

        init(chunkCount: Int, seed: UInt8) {
            var bytes: [UInt8] = []
            for index in 0..<chunkCount {
                let isLast = index == chunkCount - 1
                bytes += [UInt8](
                    repeating: seed &+ 50 &* UInt8(index), count: chunkByteCount - (isLast ? 80 : 0))
            }
            let chunks = (0..<chunkCount).map { index in
                let end = min((index + 1) * chunkByteCount, bytes.count)
                return ShardManifest.Chunk(
                    digest: Array(bytes[index * chunkByteCount..<end]).sha256, isNeededToOpen: index == 0)
            }
            self.bytes = bytes
            manifest = ShardManifest(files: [.init(name: "m.gguf", byteCount: bytes.count, chunks: chunks)]).bytes
        }

        func keep(_ chunk: ShardChunk, in entry: ShardEntry) throws -> Bool {
            let range = entry.manifest.byteRange(file: 0, chunk: chunk.index)
            let piece = Array(bytes[range])
            return try entry.keep(piece, as: chunk)
        }
    }

    private static func chunk(_ index: Int) -> ShardChunk { ShardChunk(file: 0, index: index) }

    @Test func `what was kept is there the next time, and nothing else is`() throws {
        let folder = try TemporaryFolder()
        let cache = ShardCache(folder: folder.path + "/shards", limitByteCount: 100 << 20)
        let source = Source(chunkCount: 3, seed: 1)
        #expect(try cache.entry(source.content) == nil)
        do {
            let entry = try cache.makeEntry(source.content, manifest: source.manifest)
            #expect((0..<3).allSatisfy { !entry.holds(Self.chunk($0)) })
            #expect(try source.keep(Self.chunk(2), in: entry))
            #expect(entry.openingChunks == [Self.chunk(0)])
        }
        let entry = try #require(try cache.entry(source.content))
        #expect((0..<3).map { entry.holds(Self.chunk($0)) } == [false, false, true])
        // The holes take no room.
        #expect(DiskSpace.allocatedByteCount(at: entry.modelPath) < 2 << 20)
        #expect(try source.keep(Self.chunk(0), in: entry) && source.keep(Self.chunk(1), in: entry))
        #expect(try MappedFile(path: entry.modelPath).bytes(in: 0..<source.bytes.count) == source.bytes)
    }

    @Test func `what was seen to be right is given to others, and nothing else`() throws {
        let folder = try TemporaryFolder()
        let cache = ShardCache(folder: folder.path + "/shards", limitByteCount: 100 << 20)
        let source = Source(chunkCount: 3, seed: 1)
        let first = try cache.makeEntry(source.content, manifest: source.manifest)
        #expect(try source.keep(Self.chunk(0), in: first) && source.keep(Self.chunk(2), in: first))
        #expect(first.held.bytes == [0b101] && first.heldByteCount == 2 * Self.chunkByteCount - 80)
        #expect(first.bytes(of: Self.chunk(2)) == Array(source.bytes[(2 * Self.chunkByteCount)...]))
        #expect(first.bytes(of: Self.chunk(1)) == nil)

        let second = try #require(try cache.entry(source.content))
        #expect(second.held.count == 0 && second.bytes(of: Self.chunk(0)) == nil)
        second.adopt(ChunkSet(all: 3))
        // The hole in the middle is none that anyone could have seen to be right.
        #expect(second.held.bytes == [0b101])
        let handle = try #require(FileHandle(forUpdatingAtPath: second.modelPath))
        try handle.write(contentsOf: [source.bytes[0] ^ 1])
        #expect(!second.holds(Self.chunk(0)) && second.held.bytes == [0b100])
    }

    @Test func `bytes that are not those of the chunk are not kept`() throws {
        let folder = try TemporaryFolder()
        let source = Source(chunkCount: 2, seed: 2)
        let entry = try ShardCache(folder: folder.path).makeEntry(source.content, manifest: source.manifest)
        var wrong = Array(source.bytes[..<Self.chunkByteCount])
        wrong[77] ^= 4
        let short = Array(wrong.dropLast())
        #expect(try !entry.keep(wrong, as: Self.chunk(0)))
        #expect(try !entry.keep(short, as: Self.chunk(0)))
        #expect(!entry.holds(Self.chunk(0)))
    }

    @Test func `a flipped bit and a write that was cut off show`() throws {
        let folder = try TemporaryFolder()
        let source = Source(chunkCount: 2, seed: 3)
        let entry = try ShardCache(folder: folder.path).makeEntry(source.content, manifest: source.manifest)
        for index in 0..<2 { #expect(try source.keep(Self.chunk(index), in: entry)) }
        let handle = try #require(FileHandle(forUpdatingAtPath: entry.modelPath))
        try handle.seek(toOffset: 1000)
        try handle.write(contentsOf: [source.bytes[1000] ^ 1])
        #expect(!entry.holds(Self.chunk(0)) && entry.holds(Self.chunk(1)))
        #expect(try source.keep(Self.chunk(0), in: entry) && entry.holds(Self.chunk(0)))
        // As after a crash of the machine: the size is there, the bytes are not.
        try handle.truncate(atOffset: UInt64(Self.chunkByteCount + 4096))
        try handle.truncate(atOffset: UInt64(source.bytes.count))
        #expect(entry.holds(Self.chunk(0)) && !entry.holds(Self.chunk(1)))
    }

    @Test func `a manifest of another content is refused, and a damaged one counts as none`() throws {
        let folder = try TemporaryFolder()
        let cache = ShardCache(folder: folder.path)
        let (source, other) = (Source(chunkCount: 1, seed: 4), Source(chunkCount: 1, seed: 5))
        #expect(throws: ShardCacheError.notAManifest) {
            _ = try cache.makeEntry(source.content, manifest: other.manifest)
        }
        _ = try cache.makeEntry(source.content, manifest: source.manifest)
        let name = source.content.hexadecimal + "/manifest"
        try folder.write(Array(try folder.read(name).dropLast()), name)
        #expect(try cache.entry(source.content) == nil)
    }

    @Test func `beyond the limit those go that were used longest ago, but none that is in use`() throws {
        let folder = try TemporaryFolder()
        let cache = ShardCache(folder: folder.path, limitByteCount: 10 << 20)
        let sources = (0..<3).map { Source(chunkCount: 3, seed: 10 + UInt8($0)) }
        func fill(_ source: Source) throws -> ShardEntry {
            let entry = try cache.makeEntry(source.content, manifest: source.manifest)
            try cache.makeRoom(for: source.bytes.count)
            for index in 0..<3 { #expect(try source.keep(Self.chunk(index), in: entry)) }
            return entry
        }
        func isThere(_ source: Source) -> Bool {
            FileManager.default.fileExists(atPath: "\(folder.path)/\(source.content.hexadecimal)/model/m.gguf")
        }
        let inUse = try fill(sources[0])
        for source in sources[1...] { _ = try fill(source) }
        // The second one is now the longest unused; used again, the third is.
        try setLastUse(sources[0], hoursAgo: 9, folder)
        try setLastUse(sources[1], hoursAgo: 3, folder)
        try setLastUse(sources[2], hoursAgo: 2, folder)
        _ = try cache.entry(sources[1].content)
        try cache.makeRoom(for: 2 << 20)
        #expect(sources.map(isThere) == [true, true, false])
        try cache.makeRoom(for: 5 << 20)
        #expect(sources.map(isThere) == [true, false, false])
        #expect(throws: ShardCacheError.self) { try cache.makeRoom(for: 8 << 20) }
        #expect(isThere(sources[0]) && inUse.holds(Self.chunk(1)))
    }

    private func setLastUse(_ source: Source, hoursAgo: Double, _ folder: TemporaryFolder) throws {
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSinceNow: -3600 * hoursAgo)],
            ofItemAtPath: "\(folder.path)/\(source.content.hexadecimal)/manifest")
    }

    @Test func `several may fill one content at the same time`() async throws {
        let folder = try TemporaryFolder()
        let cache = ShardCache(folder: folder.path)
        let source = Source(chunkCount: 4, seed: 20)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for worker in 0..<4 {
                group.addTask {
                    let entry = try cache.makeEntry(source.content, manifest: source.manifest)
                    for index in 0..<4 { _ = try source.keep(Self.chunk((index + worker) % 4), in: entry) }
                    return (0..<4).allSatisfy { entry.holds(Self.chunk($0)) }
                }
            }
            for try await isWhole in group { #expect(isWhole) }
        }
        #expect(
            try MappedFile(path: folder.path + "/\(source.content.hexadecimal)/model/m.gguf").byteCount
                == source.bytes.count)
    }

    @Test func `a folder that cannot be made is named`() throws {
        let file = try TemporaryFile([1])
        let error = #expect(throws: ShardCacheError.self) {
            _ = try ShardCache(folder: file.path + "/shards").entry([UInt8](repeating: 0, count: 32))
        }
        #expect(error?.description.contains(file.path) == true)
    }
}
