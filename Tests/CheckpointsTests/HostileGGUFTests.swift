import Checkpoints
import TestSupport
import Testing

/// A spoilt file and what the error must say.
struct HostileCase: Sendable, CustomTestStringConvertible {
    enum Kind: Sendable { case malformed, unsupported }

    var name: String
    var kind = Kind.malformed
    var place: String
    var saying: String
    var bytes: @Sendable () -> [UInt8]

    var testDescription: String { name }

    private static func header(tensors: UInt64 = 0, keys: UInt64 = 0, version: UInt32 = 3) -> ByteWriter {
        var writer = ByteWriter()
        writer.raw(Array("GGUF".utf8))
        writer.integer(version)
        writer.integer(tensors)
        writer.integer(keys)
        return writer
    }

    /// One key with the given type, and then whatever `body` writes.
    private static func key(_ typeID: UInt32, _ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = header(keys: 1)
        writer.string("k")
        writer.integer(typeID)
        body(&writer)
        return writer.bytes
    }

    private static func tensor(
        _ dimensions: [UInt64], typeID: UInt32 = 0, byteCount: Int = 64, offset: UInt64? = nil
    ) -> [UInt8] {
        var builder = GGUFBuilder()
        builder.tensors = [
            GGUFBuilder.Tensor(
                name: "t", dimensions: dimensions, typeID: typeID, data: Array(repeating: 0, count: byteCount),
                offset: offset)
        ]
        return builder.build()
    }

    private static func pair(_ first: String, _ second: String, secondOffset: UInt64) -> [UInt8] {
        var builder = GGUFBuilder()
        builder.tensors = [first, second].map {
            GGUFBuilder.Tensor(name: $0, dimensions: [16], typeID: 0, data: Array(repeating: 0, count: 64))
        }
        builder.tensors[1].offset = secondOffset
        return builder.build()
    }

    private static func alignment(_ value: UInt32) -> [UInt8] {
        var builder = GGUFBuilder()
        builder["general.alignment"] = .uint32(value)
        return builder.build()
    }

    private static func nested(depth: Int) -> [UInt8] {
        key(9) { writer in
            for _ in 1..<depth {
                writer.integer(UInt32(9))
                writer.integer(UInt64(1))
            }
            writer.integer(UInt32(0))
            writer.integer(UInt64(0))
        }
    }

    static let all: [HostileCase] = [
        HostileCase(name: "wrong magic", place: "header", saying: "does not begin with") { Array("GGUG".utf8) + [3] },
        HostileCase(name: "one byte", place: "header", saying: "ends before the magic") { [0x47] },
        HostileCase(name: "only the magic", place: "header", saying: "ends before the version") { Array("GGUF".utf8) },
        HostileCase(name: "old GGML", kind: .unsupported, place: "header", saying: "before GGUF") {
            Array("tjgg".utf8) + Array(repeating: 0, count: 32)
        },
        HostileCase(name: "Git LFS pointer", place: "header", saying: "Git LFS pointer") {
            Array("version https://git-lfs.github.com/spec/v1".utf8)
        },
        HostileCase(name: "version 1", kind: .unsupported, place: "header", saying: "GGUF version 1 is not supported") {
            header(version: 1).bytes
        },
        HostileCase(name: "version 4", kind: .unsupported, place: "header", saying: "GGUF version 4 is not supported") {
            header(version: 4).bytes
        },
        HostileCase(name: "big-endian", kind: .unsupported, place: "header", saying: "big-endian") {
            header(version: UInt32(3).byteSwapped).bytes
        },
        HostileCase(name: "2^63 tensors", place: "header", saying: "tensors are more") {
            header(tensors: 1 << 63).bytes
        },
        HostileCase(name: "more keys than fit", place: "header", saying: "than fit the file") {
            header(keys: 60_000).bytes
        },
        HostileCase(name: "key of 2^64 bytes", place: "metadata key 1 of 1", saying: "runs past the end") {
            var writer = header(keys: 1)
            writer.integer(UInt64.max)
            writer.raw(Array(repeating: 65, count: 20))
            return writer.bytes
        },
        HostileCase(name: "empty key", place: "metadata key 1 of 1", saying: "its name has 0 bytes") {
            var writer = header(keys: 1)
            writer.string("")
            writer.raw(Array(repeating: 0, count: 20))
            return writer.bytes
        },
        HostileCase(name: "string past the end", place: "k", saying: "a string of 4096 bytes runs past the end") {
            key(8) { $0.integer(UInt64(4096)) }
        },
        HostileCase(name: "unknown value type", place: "k", saying: "metadata type 13") {
            key(13) { $0.integer(UInt64(0)) }
        },
        HostileCase(name: "array of 2^60 bytes", place: "k", saying: "an array of 1152921504606846976 UINT8") {
            key(9) { writer in
                writer.integer(UInt32(0))
                writer.integer(UInt64(1) << 60)
            }
        },
        HostileCase(name: "array of 2^60 strings", place: "k", saying: "an array of 1152921504606846976 STRING") {
            key(9) { writer in
                writer.integer(UInt32(8))
                writer.integer(UInt64(1) << 60)
            }
        },
        HostileCase(
            name: "array of 2^61 + 1 64-bit integers, 8 bytes after overflow", place: "k", saying: "does not fit"
        ) {
            key(9) { writer in
                writer.integer(UInt32(10))
                writer.integer(UInt64(1) << 61 + 1)
                writer.integer(UInt64(0))
            }
        },
        HostileCase(name: "arrays within arrays", place: "k", saying: "nested more than") { nested(depth: 5) },
        HostileCase(name: "value cut short", place: "k", saying: "ends before its value") {
            Array(key(10) { $0.integer(UInt64(0)) }.dropLast(1))
        },
        HostileCase(name: "key twice", place: "a", saying: "stands twice") {
            var builder = GGUFBuilder()
            builder.metadata = [("a", .uint8(1)), ("a", .uint8(2))]
            return builder.build()
        },
        HostileCase(name: "alignment 0", place: "general.alignment", saying: "0 is not a power of two") {
            alignment(0)
        },
        HostileCase(name: "alignment 24", place: "general.alignment", saying: "24 is not a power of two") {
            alignment(24)
        },
        HostileCase(name: "alignment 2^31", place: "general.alignment", saying: "is not a power of two") {
            alignment(1 << 31)
        },
        HostileCase(name: "no dimensions", place: "t", saying: "it has 0 dimensions") { tensor([]) },
        HostileCase(name: "five dimensions", place: "t", saying: "it has 5 dimensions") { tensor([1, 1, 1, 1, 1]) },
        HostileCase(name: "dimension 0", place: "t", saying: "dimension 1 has size 0") { tensor([4, 0]) },
        HostileCase(name: "dimension 2^63", place: "t", saying: "zero or too large") { tensor([1 << 63]) },
        HostileCase(name: "dimensions that overflow", place: "t", saying: "zero or too large") {
            tensor([1 << 33, 1 << 33])
        },
        HostileCase(name: "half a block", place: "t", saying: "not whole blocks of 32 (Q4_0)") {
            tensor([48], typeID: 2)
        },
        HostileCase(name: "data past the end", place: "t", saying: "end past the 64 bytes") { tensor([17]) },
        HostileCase(name: "offset past the end", place: "t", saying: "end past") { tensor([1], offset: 1 << 62) },
        HostileCase(name: "offset 2^64 - 32", place: "t", saying: "end past") {
            tensor([16], offset: UInt64.max - 31)
        },
        HostileCase(name: "misaligned offset", place: "t", saying: "not a multiple of the alignment, 32") {
            tensor([1], offset: 4)
        },
        HostileCase(name: "overlap", place: "b", saying: "overlaps that of a") { pair("a", "b", secondOffset: 32) },
        HostileCase(name: "tensor twice", place: "a", saying: "listed twice") { pair("a", "a", secondOffset: 64) },
        HostileCase(name: "tensor list cut short", place: "t", saying: "ends before its dimensions") {
            Array(tensor([1]).prefix(40))
        },
    ]
}

@Suite struct `A spoilt GGUF file` {
    @Test(arguments: HostileCase.all) func `is refused with the place and the problem`(_ hostile: HostileCase) throws {
        let temporary = try TemporaryFile(hostile.bytes())
        let error = try #require(throws: CheckpointError.self) { try GGUFFile(path: temporary.path) }
        let problem: CheckpointProblem
        switch (error, hostile.kind) {
        case (.malformed(let path, let found), .malformed), (.unsupported(let path, let found), .unsupported):
            #expect(path == temporary.path)
            problem = found
        default:
            Issue.record("\(error) is not \(hostile.kind)")
            return
        }
        #expect(problem.place == hostile.place)
        #expect(problem.problem.contains(hostile.saying), "\(problem)")
        #expect(!problem.remedy.isEmpty)
        #expect(error.description.hasPrefix(temporary.path + ": "))
    }

    @Test func `is refused wherever it has been cut`() throws {
        let whole = TinyLlama().builder().build()
        let temporary = try TemporaryFile(whole)
        let headerByteCount = try ModelFile(path: temporary.path).headerByteCount
        let inHeader = Array(stride(from: 1, to: headerByteCount, by: 61))
        let inData = Array(stride(from: headerByteCount, to: whole.count, by: 997))
        for length in inHeader + inData + [whole.count - 1] {
            try temporary.overwrite(Array(whole.prefix(length)))
            #expect(throws: CheckpointError.self) { try ModelFile(path: temporary.path) }
        }
    }
}
