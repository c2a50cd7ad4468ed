import Checkpoints
import Kernels
import TestSupport
import Testing

@Suite(
    .enabled(
        if: Fixtures.has("bitnet/bitnet-g") && Fixtures.has("bitnet/bitnet-g-I2_S.gguf"),
        "the fixtures in bitnet are not there"))
struct `A ternary model in GGUF` {
    static let folder = Result { try ModelFile(path: Fixtures.path("bitnet/bitnet-g")) }

    @Test(arguments: ["I2_S", "TQ1_0", "TQ2_0"])
    func `has the values, rows and scales of the folder that it was made from`(type: String) throws {
        let folder = try Self.folder.get()
        let gguf = try ModelFile(path: Fixtures.path("bitnet/bitnet-g-\(type).gguf"))
        #expect(gguf.configuration.architecture == "bitnet-b1.58")
        var expected = folder.configuration
        expected.architecture = gguf.configuration.architecture
        expected.name = "bitnet fixture"
        #expect(gguf.configuration == expected)
        for (ours, theirs) in zip(gguf.layers, folder.layers) {
            for (one, other) in zip(ours.all, theirs.all) where other.type.isTernary {
                #expect(one.type.name == type)
                try expectEqual(TernaryMatrix(one), TernaryMatrix(other))
                // The scales of this model are powers of two times few bits, which binary16 holds.
                #expect(one.scale == other.scale)
            }
        }
    }

    private func expectEqual(_ one: TernaryMatrix, _ other: TernaryMatrix) {
        #expect([one.rows, one.columns] == [other.rows, other.columns])
        var (ours, theirs) = ([Int8](repeating: 9, count: one.columns), [Int8](repeating: 8, count: one.columns))
        var counts: [Int8: Int] = [:]
        for row in 0..<one.rows {
            one.decode(row: row, into: &ours)
            other.decode(row: row, into: &theirs)
            guard ours == theirs else {
                Issue.record("row \(row) of \(one.tensor.name) differs from that of \(other.tensor.name)")
                return
            }
            counts[ours[row % one.columns], default: 0] += 1
        }
        #expect(Set(counts.keys) == [-1, 0, 1])
    }
}

@Suite struct `A BitNet model of llama cpp` {
    /// Architecture `bitnet`: norms within the layers, and one projection in TQ2_0 with digits of 1 and a scale of 2.
    private static func builder() -> GGUFBuilder {
        var tiny = TinyLlama()
        tiny.hiddenSize = 256
        tiny.feedForwardSize = 256
        tiny.headDimension = 64
        tiny.weightType = .f32
        var builder = tiny.builder()
        builder.metadata = builder.metadata.map { ($0.key.replacing("llama.", with: "bitnet."), $0.value) }
        builder["general.architecture"] = .string("bitnet")
        for name in ["blk.0.attn_sub_norm.weight", "blk.0.ffn_sub_norm.weight"] {
            for layer in ["blk.0", "blk.1"] {
                builder.tensors.append(
                    GGUFBuilder.Tensor(
                        name: name.replacing("blk.0", with: layer), dimensions: [256], typeID: 0,
                        data: Array(repeating: 0, count: 1024)))
            }
        }
        let block = [UInt8](repeating: 0xAA, count: 64) + [0, 0x40]
        builder[tensor: "blk.0.attn_q.weight"]?.typeID = 35
        builder[tensor: "blk.0.attn_q.weight"]?.data = (0..<256).flatMap { _ in block }
        return builder
    }

    @Test func `passes its gate through SiLU and keeps the order of rows`() throws {
        let model = try Self.builder().withFile(ModelFile.init(path:))
        #expect(model.configuration.activation == .silu)
        #expect(model.configuration.hasSubNorms)
        #expect(model.configuration.rope.pairing == .halves)
        #expect(model.layers[1].feedForwardSubNorm?.columns == 256)
        #expect(model.layers[0].query.scale == 2)
    }

    @Test func `may have scales in tensors of their own`() throws {
        var builder = Self.builder()
        var writer = ByteWriter()
        writer.integer(Float(0.375).bitPattern)
        let scale = GGUFBuilder.Tensor(name: "blk.0.attn_q.scale", dimensions: [1], typeID: 0, data: writer.bytes)
        builder.tensors.append(scale)
        #expect(try builder.withFile(ModelFile.init(path:)).layers[0].query.scale == 0.75)
        // Beside weights that are not ternary it would go unused.
        builder.tensors[builder.tensors.count - 1].name = "blk.1.attn_q.scale"
        let error = try builder.withFile { path in
            try #require(throws: CheckpointError.self) { try ModelFile(path: path) }
        }
        #expect(error.description.contains("blk.1.attn_q.scale: a bitnet model of 2 layers has no such tensor"))
    }

    @Test func `cannot have ternary embeddings or a scale that is not finite`() throws {
        var builder = Self.builder()
        let block = [UInt8](repeating: 0xAA, count: 64) + [0, 0x7C]
        builder[tensor: "token_embd.weight"]?.typeID = 35
        builder[tensor: "token_embd.weight"]?.data = (0..<288).flatMap { _ in block }
        let error = try builder.withFile { path in
            try #require(throws: CheckpointError.self) { try ModelFile(path: path) }
        }
        #expect(error.description.contains("token_embd.weight: its scale is not finite"))
        #expect(
            error.description.contains("token_embd.weight: embeddings and head cannot be ternary, but this is TQ2_0"))
    }
}

@Suite struct `A packed row of four` {
    /// The example of transformers' `unpack_weights`.
    @Test func `is unpacked as its source documents`() throws {
        let temporary = try TemporaryFile([0b1010_0001, 0b0001_1000, 0b1001_0000, 0b0000_1010])
        let matrix = try TernaryMatrix(
            TensorDescription(
                name: "w", type: .packedTernary, rows: 8, columns: 2, file: MappedFile(path: temporary.path),
                byteRange: 0..<4, scale: 0.5))
        var values: [[Int8]] = []
        for row in 0..<8 {
            var decoded: [Int8] = [9, 9]
            matrix.decode(row: row, into: &decoded)
            values.append(decoded)
        }
        #expect(values == [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]])
        #expect(matrix.scale == 0.5)
    }
}

@Suite struct `What is not ternary` {
    private func tensor(
        _ type: TensorType, rows: Int, columns: Int, _ bytes: [UInt8]
    ) throws -> (TensorDescription, TemporaryFile) {
        let temporary = try TemporaryFile(bytes)
        let file = try MappedFile(path: temporary.path)
        let tensor = TensorDescription(
            name: "blk.0.w", type: type, rows: rows, columns: columns, file: file, byteRange: 0..<bytes.count)
        return (tensor, temporary)
    }

    private func refusal(_ type: TensorType, rows: Int, columns: Int, _ bytes: [UInt8]) throws -> CheckpointError {
        let (tensor, temporary) = try tensor(type, rows: rows, columns: columns, bytes)
        return try withExtendedLifetime(temporary) {
            try #require(throws: CheckpointError.self) { try TernaryMatrix(tensor) }
        }
    }

    private func accept(_ type: TensorType, rows: Int, columns: Int, _ bytes: [UInt8]) throws {
        let (tensor, temporary) = try tensor(type, rows: rows, columns: columns, bytes)
        try withExtendedLifetime(temporary) { _ = try TernaryMatrix(tensor) }
    }

    @Test(arguments: [0, 2, 4, 6]) func `is refused where a two-bit value is 3`(shift: Int) throws {
        for (type, rows, columns, count) in [
            (TensorType.packedTernary, 4, 64, 64), (.i2_s, 1, 256, 96), (.tq2_0, 1, 256, 66),
        ] {
            var bytes = [UInt8](repeating: 0x55, count: count)
            bytes.replaceSubrange(count - 2..<count, with: [0, 0x3C])
            if type == .packedTernary { bytes[62...] = [0x55, 0x55] }
            try accept(type, rows: rows, columns: columns, bytes)
            bytes[37] |= 3 << UInt8(shift)
            let error = try refusal(type, rows: rows, columns: columns, bytes)
            guard case .malformed(_, let problem) = error else { throw error }
            #expect(problem.byteOffset == 37)
            #expect(problem.place == "blk.0.w")
            #expect(problem.problem == "a value is none of −1, 0 and 1")
        }
    }

    @Test func `is refused where blocks have different scales`() throws {
        for (type, size) in [(TensorType.tq1_0, 54), (.tq2_0, 66)] {
            var bytes = [UInt8](repeating: type == .tq1_0 ? 128 : 0x55, count: 3 * size)
            // One, none and one and a half.
            bytes.replaceSubrange(size - 2..<size, with: [0, 0x3C])
            bytes.replaceSubrange(2 * size - 2..<2 * size, with: [0, 0])
            bytes.replaceSubrange(3 * size - 2..<3 * size, with: [0, 0x3C])
            try accept(type, rows: 1, columns: 768, bytes)
            bytes[3 * size - 1] = 0x3E
            let error = try refusal(type, rows: 1, columns: 768, bytes)
            guard case .unsupported(_, let problem) = error else { throw error }
            #expect(problem.problem.contains("not ternary with one scale: one block has 1.0, the one at byte"))
        }
    }

    @Test func `is refused where a block without scale has values all the same`() throws {
        for (type, size) in [(TensorType.tq1_0, 54), (.tq2_0, 66)] {
            var bytes = [UInt8](repeating: type == .tq1_0 ? 128 : 0x55, count: size)
            bytes.replaceSubrange(size - 2..<size, with: [0, 0])
            try accept(type, rows: 1, columns: 256, bytes)
            bytes[40] = type == .tq1_0 ? 0 : 0x56
            let error = try refusal(type, rows: 1, columns: 256, bytes)
            #expect(error.problems.first?.byteOffset == 40)
        }
    }

    @Test func `is made so by the mean magnitude where the configuration asks for it`() throws {
        // Mean magnitude 1; 0.5 and −1.5 are ties, which go to the even neighbour.
        let weights: [Float] = [0.5, -1.5, 0.75, -0.25, 3, -1, 0.5, 0.5]
        var writer = ByteWriter()
        for weight in weights { writer.integer(weight.bitPattern) }
        let (tensor, temporary) = try tensor(.ternaryF32, rows: 2, columns: 4, writer.bytes)
        let matrix = try withExtendedLifetime(temporary) { try TernaryMatrix(tensor) }
        #expect(matrix.scale == 1)
        var values = [Int8](repeating: 9, count: 4)
        matrix.decode(row: 0, into: &values)
        #expect(values == [0, -1, 1, 0])
        matrix.decode(row: 1, into: &values)
        #expect(values == [1, -1, 0, 0])
        let error = try refusal(.ternaryBF16, rows: 1, columns: 2, [0x80, 0x3F, 0xC0, 0x7F])
        #expect(error.description.contains("byte 2: blk.0.w: a weight is nan"))
    }
}
