import Checkpoints
import Foundation
import Inference
import Kernels
import ModelTools
import TestSupport
import Testing

@Suite struct `A damaged converted model` {
    private static let tiles = "tiles.safetensors"

    /// A converted ryz-tiny whose tiles' bytes `change` has changed, or why it is refused.
    private func refusal(
        _ layout: TernaryLayout = .fiveToAByte, _ change: (inout [UInt8], Int) throws -> Void
    ) async throws -> CheckpointError? {
        let folder = try await damaged(layout, change)
        do throws(CheckpointError) {
            _ = try ModelFile(path: folder.path)
            return nil
        } catch {
            return error
        }
    }

    private func damaged(
        _ layout: TernaryLayout, _ change: (inout [UInt8], Int) throws -> Void
    ) async throws -> TemporaryFolder {
        let destination = try Destination()
        try await ModelConversion(
            ModelFile(path: Fixtures.ryzTinyPath), ternaryLayout: layout, headPrecision: .automatic
        ).write(to: destination.path)
        let folder = try TemporaryFolder(copying: destination.path)
        var bytes = try folder.read(Self.tiles)
        let headerByteCount = 8 + (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        try change(&bytes, headerByteCount)
        try folder.write(bytes, Self.tiles)
        return folder
    }

    /// Replaces text of the header by text of the same length.
    private func replace(_ old: String, _ new: String, _ bytes: inout [UInt8]) throws {
        try #require(old.utf8.count == new.utf8.count)
        let place = try #require(bytes.firstRange(of: Array(old.utf8)))
        bytes.replaceSubrange(place, with: Array(new.utf8))
    }

    @Test(arguments: [
        (
            #"{\"type\":\"U8 (packed ternary)\",\"layout\":\"t5\""#,
            #"{\"type\":\"U8 (packed ternary)\",\"layout\":\"t6\""#
        ),
        (
            #"{\"type\":\"U8 (packed ternary)\",\"layout\":\"t5\""#,
            #"{\"type\":\"U8 (packed ternary)\",\"layout\":\"t2\""#
        ),
        (#"{\"type\":\"U8 (packed ternary)\""#, #"{\"type\":\"U8 (packed quinary)\""#),
        (#"\"rows\":320,\"columns\":320"#, #"\"rows\":304,\"columns\":320"#),
        (#"\"rows\":320,\"columns\":320"#, #"\"rows\":320,\"columns\":-20"#),
        (#"\"rows\":320,\"columns\":320"#, #"\"rows\":9e9,\"columns\":9e9"#),
        (#"\"rows\":320,\"columns\":320"#, #"\"rows\":320,\"rolumns\":320"#),
        (#""ryz_tiles":"1""#, #""ryz_tiles":"2""#), (#""ryz_tiles":"1""#, #""ryz_tolls":"1""#),
        (#""dtype":"U8""#, #""dtype":"I8""#), (#""lm_head.weight":"{"#, #""xx_head.weight":"{"#),
    ])
    func `is refused by what its header says`(old: String, new: String) async throws {
        let error = try await refusal { bytes, _ in try replace(old, new, &bytes) }
        #expect(error?.description.contains("convert the model again") == true, "\(old) → \(new): \(error as Any)")
    }

    @Test func `is refused when it is cut short`() async throws {
        for count in [0, 7, 100, 5000, 400_000] {
            let error = try await refusal { bytes, _ in bytes.removeLast(bytes.count - count) }
            #expect(error != nil, "\(count) bytes")
        }
    }

    @Test func `never crashes the reader`() async throws {
        var random = SeededGenerator(seed: 11)
        let folder = try await damaged(.fiveToAByte) { _, _ in }
        let whole = try folder.read(Self.tiles)
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<9000, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try folder.write(bytes, Self.tiles)
            _ = try? ModelFile(path: folder.path)
        }
    }

    @Test(arguments: [(TernaryLayout.twoBits, UInt8(3)), (.fiveToAByte, 1), (.fiveToAnIndex, 243)])
    func `is refused when it is loaded, if a code stands for no weight`(layout: TernaryLayout, byte: UInt8) async throws
    {
        let folder = try await damaged(layout) { bytes, headerByteCount in
            // The first layer's first matrix stands behind the embeddings and a norm.
            bytes[headerByteCount + 1024 * 320 * 2 + 4096 + 777] = byte
        }
        let model = try ModelFile(path: folder.path)
        let error = try #require(throws: InferenceError.self) { try logits(of: model, [1, 2, 3]) }
        #expect(
            error.description
                == "model.layers.0.self_attn.q_proj.weight: its tiles hold what is none of −1, 0 and 1; convert the model again"
        )
    }

    @Test func `is no matter to a worker that holds other layers`() async throws {
        let folder = try await damaged(.fiveToAByte) { bytes, headerByteCount in
            // The embeddings, a norm and the first layer's queries.
            for index in 0..<1024 * 320 * 2 + 4096 + 20_000 { bytes[headerByteCount + index] = 1 }
        }
        let (model, sound) = try (ModelFile(path: folder.path), ModelFile(path: Fixtures.ryzTinyPath))
        let options = try StageOptions(
            threadCount: 1, instructionSet: .selected(), contextLength: 128, keyValueTokenCapacity: 128)
        #expect(throws: InferenceError.self) { try Stage(model: model, layers: 0..<1, options: options) }
        let first = try Stage(model: sound, layers: 0..<1, options: options)
        let rest = try [model, sound].map { try Stage(model: $0, layers: 1..<6, options: options) }
        let scores = try rest.map { stage in
            var pipeline = try Pipeline([first, stage])
            return try pipeline.score([0, 5, 9, 300], chunk: 4, topCount: 1)
        }
        #expect(scores[0] == scores[1])
    }

    @Test func `is refused when weights stand behind the last column`() throws {
        // 32 columns take two steps of 20; the last step's column 36 is not 0.
        for (layout, byte, isSound) in [
            (TileLayout.t5, UInt8(0), true), (.t5, 86, false), (.i5, 0, true), (.i5, 64, false),
        ] {
            var bytes = [UInt8](repeating: 0, count: 128)
            bytes[68] = byte
            let file = try TemporaryFile(bytes)
            let tiles = try TileSource(
                name: "w", file: MappedFile(path: file.path), byteOffset: 0, layout: layout, rows: 16, columns: 32,
                scale: 1)
            if isSound {
                _ = try PackedMatrix([tiles])
            } else {
                #expect(throws: KernelError.self) { _ = try PackedMatrix([tiles]) }
            }
        }
    }
}
