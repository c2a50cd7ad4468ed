import Checkpoints
import Inference
import Kernels
import ModelTools
import TestSupport
import Testing

@Suite struct `A damaged quantised model` {
    private static let tiles = "tiles.safetensors"

    /// A copy of a quantised tiny model whose tiles' bytes `change` has changed; it is given where the data begins, too.
    private func damaged(_ change: (inout [UInt8], Int) throws -> Void) async throws -> TemporaryFolder {
        let tiny = try await QuantisedTiny(bits: 2) { ($0.hiddenSize, $0.headDimension) = (256, 64) }
        let folder = try TemporaryFolder(copying: tiny.path)
        var bytes = try folder.read(Self.tiles)
        let headerByteCount = 8 + (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        try change(&bytes, headerByteCount)
        try folder.write(bytes, Self.tiles)
        return folder
    }

    /// Replaces text of the header by text of the same length.
    private func replace(_ old: String, _ new: String, _ bytes: inout [UInt8]) throws {
        try #require(old.utf8.count == new.utf8.count)
        let place = try #require(bytes.firstRange(of: Array(old.utf8)), "\(old)")
        bytes.replaceSubrange(place, with: Array(new.utf8))
    }

    @Test(arguments: [
        // No multiple of 32, out of range, no whole number, none at all.
        (#"\"group_columns\":64"#, #"\"group_columns\":63"#), (#"\"group_columns\":64"#, #"\"group_columns\":00"#),
        (#"\"group_columns\":64"#, #"\"group_columns\":-1"#), (#"\"group_columns\":64"#, #"\"group_columns\":16"#),
        (#"\"group_columns\":64"#, #"\"group_columns\":.5"#), (#"\"group_columns\":64"#, #"\"group_columns\":{}"#),
        (#"\"group_columns\":64"#, #"\"group_columns\":9e"#), (#"\"group_columns\":64"#, #"\"group_colonies\":4"#),
        (#"\"group_columns\":64"#, #"\"gruop_columns\":64"#),
        // Groups that make other tiles than there are, and one that crosses the borders of segments.
        (#"\"group_columns\":64"#, #"\"group_columns\":32"#),
        (#"\"segment_columns\":128,\"group_columns\":64"#, #"\"segment_columns\":128,\"group_columns\":96"#),
        // Layouts of another size or without groups, and a type that is never in planes.
        (#"\"layout\":\"b2\""#, #"\"layout\":\"b3\""#), (#"\"layout\":\"b2\""#, #"\"layout\":\"b5\""#),
        (#"\"layout\":\"b2\""#, #"\"layout\":\"r8\""#),
        (#"{\"type\":\"F16\",\"layout\":\"b2\""#, #"{\"type\":\"F99\",\"layout\":\"b2\""#),
        (#"\"rows\":256,\"columns\":256"#, #"\"rows\":256,\"columns\":250"#),
    ])
    func `is refused by what its header says`(old: String, new: String) async throws {
        let folder = try await damaged { bytes, _ in try replace(old, new, &bytes) }
        let error = try #require(throws: CheckpointError.self) { _ = try ModelFile(path: folder.path) }
        #expect(error.description.contains("convert the model again"), "\(old) → \(new): \(error)")
    }

    @Test(arguments: [0x7C00, 0xFC00, 0x7E00, 0xFFFF], [0, 31, 62])
    func `is refused when it is loaded, if a scale or minimum is not finite`(half: Int, place: Int) async throws {
        let folder = try await damaged { bytes, headerByteCount in
            // The first layer's first matrix stands behind the embeddings (288 × 256 in Q8_0) and a norm, in whole pages.
            let start = headerByteCount + 81_920 + 4096 + place / 2 * 2
            bytes[start] = UInt8(half & 255)
            bytes[start + 1] = UInt8(half >> 8)
        }
        let model = try ModelFile(path: folder.path)
        let error = try #require(throws: InferenceError.self) { try logits(of: model, [1, 2, 3]) }
        #expect(
            error.description
                == "blk.0.attn_q.weight: its tiles hold a scale or minimum that is not finite; convert the model again")
    }

    @Test func `never crashes who reads or loads it`() async throws {
        var random = SeededGenerator(seed: 19)
        let folder = try await damaged { _, _ in }
        let whole = try folder.read(Self.tiles)
        for _ in 0..<200 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<9000, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            try folder.write(bytes, Self.tiles)
            if let model = try? ModelFile(path: folder.path) { _ = try? logits(of: model, [1, 2, 3]) }
        }
    }
}
