import Foundation
import Kernels
import TestSupport
import Testing

@testable import Checkpoints

@Suite struct ShardManifestTests {
    private static func digest(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }

    private static let manifest = ShardManifest(files: [
        .init(
            name: "model.gguf", byteCount: ShardManifest.chunkByteCount + 5,
            chunks: [
                .init(digest: digest(0xA7), isNeededToOpen: true),
                .init(digest: digest(2), isNeededToOpen: false),
            ]),
        .init(
            name: "a name.json", byteCount: 1,
            chunks: [.init(digest: digest(9), isNeededToOpen: true)]),
    ])

    @Test func `what is written is read`() {
        #expect(ShardManifest(Self.manifest.bytes) == Self.manifest)
        #expect(Self.manifest.byteRange(file: 0, chunk: 1) == 1 << 20..<(1 << 20) + 5)
    }

    @Test func `what is cut short or spoilt is none, or another one`() {
        let bytes = Self.manifest.bytes
        for count in 0..<bytes.count {
            // Cut between two files it is a manifest of the first: that it is another one shows its SHA-256.
            if let read = ShardManifest(Array(bytes[..<count])) {
                #expect(read.files == [Self.manifest.files[0]])
            }
        }
        var random = SeededGenerator(seed: 3)
        for _ in 0..<3000 {
            var spoilt = bytes
            let index = Int.random(in: 0..<bytes.count, using: &random)
            spoilt[index] = UInt8.random(in: 0...255, using: &random)
            if let read = ShardManifest(spoilt) { #expect(read.bytes == spoilt) }
        }
    }

    @Test(arguments: [
        "../model.gguf", "/etc/passwd", ".hidden", "", "a/b", "\u{7F}", "a\tb", String(repeating: "a", count: 256),
    ])
    func `names that are no plain files' are refused`(name: String) {
        var manifest = Self.manifest
        manifest.files[1].name = name
        #expect(ShardManifest(manifest.bytes) == nil)
    }

    @Test func `two files of one name, and more chunks than lines, are refused`() {
        var twice = Self.manifest
        twice.files[1].name = "model.gguf"
        #expect(ShardManifest(twice.bytes) == nil)
        let text = "ryz-shards 1 1048576\n\(Int.max) a\n" + String(repeating: "0", count: 64) + "\n"
        #expect(ShardManifest(Array(text.utf8)) == nil)
    }

    private func finish(_ maker: inout ManifestMaker) throws -> [UInt8] {
        while maker.bytes == nil { try maker.advance() }
        #expect(maker.hashedByteCount == maker.byteCount)
        return try #require(maker.bytes)
    }

    @Test func `a manifest is kept as long as the files are the same, and made anew if it is damaged`() throws {
        let model = try TemporaryFolder(copying: Fixtures.ryzTinyPath)
        let folder = try TemporaryFolder()
        var maker = try ManifestMaker(ModelFile(path: model.path), folder: folder.path)
        #expect(maker.bytes == nil)
        let manifest = try finish(&maker)
        #expect(try ManifestMaker(ModelFile(path: model.path), folder: folder.path).bytes == manifest)

        let name = try #require(FileManager.default.contentsOfDirectory(atPath: folder.path).first)
        var kept = try folder.read(name)
        kept[200] ^= 1
        try folder.write(kept, name)
        var again = try ManifestMaker(ModelFile(path: model.path), folder: folder.path)
        #expect(again.bytes == nil)
        #expect(try finish(&again) == manifest)

        // Another last weight, and with it another time of the last change.
        var weights = try model.read("model.safetensors")
        weights[weights.count - 1] ^= 1
        try model.write(weights, "model.safetensors")
        var changed = try ManifestMaker(ModelFile(path: model.path), folder: folder.path)
        #expect(changed.bytes == nil)
        #expect(try finish(&changed) != manifest)
    }

    @Test func `each chunk has the digest of its bytes, and those that open the model are marked`() throws {
        let file = try ModelFile(path: Fixtures.ryzTinyPath)
        var maker = ManifestMaker(file, folder: nil)
        let manifest = try #require(ShardManifest(try finish(&maker)))
        #expect(manifest.files.map(\.name) == file.parts.map(\.name))
        for (index, part) in file.parts.enumerated() {
            for (chunk, entry) in manifest.files[index].chunks.enumerated() {
                let bytes = try #require(part.file.bytes(in: manifest.byteRange(file: index, chunk: chunk)))
                #expect(bytes.sha256 == entry.digest)
            }
            #expect(manifest.files[index].chunks[0].isNeededToOpen)
        }
    }
}
