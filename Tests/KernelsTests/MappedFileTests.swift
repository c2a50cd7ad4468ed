import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct `A mapped file` {
    @Test func `gives little-endian integers at any offset inside it and none outside`() throws {
        let temporary = try TemporaryFile([1, 2, 3, 4, 5, 6, 7, 8, 9])
        let file = try MappedFile(path: temporary.path)
        #expect(file.byteCount == 9)
        #expect(file.path == temporary.path)
        #expect(file.integer(at: 1, as: UInt32.self) == 0x0504_0302)
        #expect(file.integer(at: 1, as: UInt64.self) == 0x0908_0706_0504_0302)
        #expect(file.integer(at: 8, as: Int8.self) == 9)
        #expect(file.integer(at: 2, as: UInt64.self) == nil)
        #expect(file.integer(at: 9, as: UInt8.self) == nil)
        #expect(file.integer(at: -1, as: UInt8.self) == nil)
        #expect(file.integer(at: .max, as: UInt64.self) == nil)
        #expect(file.integer(at: .min, as: UInt64.self) == nil)
    }

    @Test func `gives bytes, text and spans inside it and none outside`() throws {
        let temporary = try TemporaryFile(Array("aé".utf8) + [0xFF])
        let file = try MappedFile(path: temporary.path)
        #expect(file.bytes(in: 1..<3) == [0xC3, 0xA9])
        #expect(file.bytes(in: 4..<4) == [])
        #expect(file.bytes(in: 3..<5) == nil)
        #expect(file.bytes(in: -1..<2) == nil)
        #expect(file.string(in: 0..<3) == "aé")
        #expect(file.string(in: 0..<4) == nil)
        #expect(file.repairedString(in: 0..<4) == "aé\u{FFFD}")
        #expect(file.repairedString(in: 0..<5) == nil)
        let sum = file.withBytes(in: 0..<4) { span in span.indices.reduce(0) { $0 + Int(span[$1]) } }
        #expect(sum == 0x61 + 0xC3 + 0xA9 + 0xFF)
        #expect(file.withBytes(in: 0..<5) { $0.count } == nil)
    }

    @Test func `outlives the name that it was opened by`() throws {
        let temporary = try TemporaryFile([7])
        let file = try MappedFile(path: temporary.path)
        try FileManager.default.removeItem(atPath: temporary.path)
        #expect(file.integer(at: 0, as: UInt8.self) == 7)
    }

    @Test func `keeps its contents whatever is advised`() throws {
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let temporary = try TemporaryFile(bytes)
        let file = try MappedFile(path: temporary.path)
        file.adviseWillNeed(100..<9000)
        file.adviseDontNeed(0..<20_000)
        file.adviseDontNeed(5000..<5001)
        file.adviseDontNeed(-5..<100_000)
        file.adviseWillNeed(19_999..<20_001)
        #expect(file.bytes(in: 0..<20_000) == bytes)
    }

    @Test func `is refused when there is none, with path and cause`() {
        let error = #expect(throws: MappedFileError.self) { try MappedFile(path: "/nonexistent/model.gguf") }
        #expect(
            error
                == .system(operation: "open", path: "/nonexistent/model.gguf", errnoText: "No such file or directory"))
        #expect(
            error?.description
                == "/nonexistent/model.gguf: open failed: No such file or directory; check the path and its permissions"
        )
    }

    @Test func `is refused when it is empty or not a regular file`() throws {
        let empty = try TemporaryFile([])
        #expect(throws: MappedFileError.empty(path: empty.path)) { try MappedFile(path: empty.path) }
        #expect(throws: MappedFileError.notRegular(path: "/")) { try MappedFile(path: "/") }
        #expect(throws: MappedFileError.notRegular(path: "/dev/zero")) { try MappedFile(path: "/dev/zero") }
    }
}
