import Checkpoints
import TestSupport
import Testing

@Suite struct `A GGUF file` {
    @Test func `gives back metadata of every type`() throws {
        var builder = GGUFBuilder()
        builder["a"] = .uint8(200)
        builder["b"] = .int8(-3)
        builder["c"] = .uint16(65_535)
        builder["d"] = .int16(-300)
        builder["e"] = .uint32(4_000_000_000)
        builder["f"] = .int32(-70_000)
        builder["g"] = .uint64(.max)
        builder["h"] = .int64(.min)
        builder["i"] = .float32(1.5)
        builder["j"] = .float64(-2.25)
        builder["k"] = .boolean(true)
        builder["l"] = .string("naïve")
        let metadata = try builder.withFile(GGUFFile.init(path:)).metadata
        #expect(metadata.keys == "abcdefghijkl".map(String.init))
        #expect(try metadata.integer("a") == 200)
        #expect(try metadata.integer("b") == -3)
        #expect(try metadata.integer("c") == 65_535)
        #expect(try metadata.integer("d") == -300)
        #expect(try metadata.integer("e") == 4_000_000_000)
        #expect(try metadata.integer("f") == -70_000)
        #expect(try metadata.integer("h") == .min)
        #expect(try metadata.float("i") == 1.5)
        #expect(try metadata.float("j") == -2.25)
        #expect(try metadata.boolean("k") == true)
        #expect(try metadata.string("l") == "naïve")
        #expect(try metadata.integer("absent") == nil)
        if case .unsigned(let value)? = metadata["g"] { #expect(value == .max) } else { Issue.record("not unsigned") }
        #expect(throws: CheckpointError.self) { try metadata.integer("g") }
    }

    @Test func `gives back arrays, also nested ones`() throws {
        var builder = GGUFBuilder()
        builder["words"] = .strings(["one", "", "drei"])
        builder["numbers"] = .int32s([3, -1, 7])
        builder["floats"] = .float32s([0.5, -1])
        builder["nested"] = .arrays([.int32s([1, 2]), .strings(["x", "yz"]), .arrays([.float32s([4])])])
        builder["after"] = .uint32(9)
        let metadata = try builder.withFile(GGUFFile.init(path:)).metadata
        let words = try #require(try metadata.array("words"))
        #expect(words.strings?.texts() == ["one", "", "drei"])
        let packed = try #require(words.strings?.packedBytes())
        #expect(packed.bytes == Array("onedrei".utf8))
        #expect(packed.offsets == [0, 3, 3, 7])
        #expect(words.integers() == nil)
        #expect(try metadata.array("numbers")?.integers() == [3, -1, 7])
        #expect(try metadata.array("numbers")?.strings == nil)
        #expect(try metadata.array("floats")?.floats() == [0.5, -1])
        let nested = try #require(try metadata.array("nested")?.arrays())
        #expect(nested[0].integers() == [1, 2])
        #expect(nested[1].strings?.texts() == ["x", "yz"])
        #expect(nested[2].arrays()?[0].floats() == [4])
        #expect(try metadata.integer("after") == 9)
    }

    @Test(arguments: [UInt32(2), 3]) func `of either version says where its tensors are`(version: UInt32) throws {
        var builder = GGUFBuilder()
        builder.version = version
        builder.tensors = [
            GGUFBuilder.Tensor(name: "first", dimensions: [3], typeID: 0, data: Array(1...12)),
            GGUFBuilder.Tensor(name: "second", dimensions: [32, 2], typeID: 8, data: Array(repeating: 5, count: 68)),
        ]
        let gguf = try builder.withFile(GGUFFile.init(path:))
        #expect(gguf.version == Int(version))
        #expect(gguf.headerByteCount % 32 == 0)
        #expect(gguf.tensors.map(\.name) == ["first", "second"])
        #expect(gguf.tensors.map(\.byteOffset) == [gguf.headerByteCount, gguf.headerByteCount + 32])
        #expect(gguf.tensors.map(\.byteCount) == [12, 68])
        #expect(gguf.tensors[1].dimensions == [32, 2])
        #expect(gguf.tensors[1].type.name == "Q8_0")
        let start = gguf.headerByteCount
        #expect(gguf.file.bytes(in: start..<start + 12) == Array(1...12))
    }

    @Test func `may ask for another alignment`() throws {
        var builder = GGUFBuilder()
        builder.alignment = 4096
        builder["general.alignment"] = .uint32(4096)
        builder.tensors = [GGUFBuilder.Tensor(name: "t", dimensions: [1], typeID: 0, data: [1, 2, 3, 4])]
        let gguf = try builder.withFile(GGUFFile.init(path:))
        #expect(gguf.alignment == 4096)
        #expect(gguf.headerByteCount == 4096)
    }

    @Test(
        .enabled(if: Fixtures.has("tokenizers/llama-bpe.gguf"), "the fixture tokenizers/llama-bpe.gguf is not there"))
    func `without tensors gives its vocabulary`() throws {
        let gguf = try GGUFFile(path: Fixtures.path("tokenizers/llama-bpe.gguf"))
        #expect(gguf.tensors.isEmpty)
        #expect(gguf.headerByteCount == gguf.file.byteCount)
        #expect(try gguf.metadata.array("tokenizer.ggml.tokens")?.count == 128_256)
        #expect(try gguf.metadata.array("tokenizer.ggml.merges")?.count == 280_147)
    }
}
