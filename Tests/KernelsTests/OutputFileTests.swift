import Foundation
import Kernels
import TestSupport
import Testing

@Suite struct `A file that is written` {
    @Test func `holds the bytes in their order`() throws {
        let folder = try TemporaryFolder()
        var file = try OutputFile(creating: folder.path + "/new")
        try file.write([1, 2, 3])
        try file.write([0x0807_0605_0403_0201, 0xFFFF], byteCount: 10)
        try file.write([])
        try file.synchronise()
        #expect(file.byteCount == 13)
        #expect(try folder.read("new") == [1, 2, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0xFF, 0xFF])
    }

    @Test func `takes no other file's place, and says where it cannot be`() throws {
        let folder = try TemporaryFolder()
        try folder.write("kept", "old")
        for (name, reason) in [("old", "File exists"), ("missing/new", "No such file or directory")] {
            let path = folder.path + "/" + name
            let error = try #require(throws: OutputFileError.self) { _ = try OutputFile(creating: path) }
            #expect(
                error.description
                    == "\(path): open failed: \(reason); check the folder, its permissions and the free space")
        }
        #expect(try folder.text("old") == "kept")
    }

    @Test func `is its owner's only, if that is asked for, and what was left unfinished of it can be removed`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        try folder.write("x", "file")
        try folder.write("x", "file.unfinished-123")
        try folder.write("x", "other.unfinished-123")
        try OutputFile.replace(path, with: [1], isPrivate: true)
        let permissions = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(permissions?.intValue == 0o600)
        OutputFile.removeUnfinished(of: path)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                == ["file", "other.unfinished-123"])
    }

    @Test func `is replaced as a whole, and its folders are made`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a/b/file"
        for bytes: [UInt8] in [[1, 2, 3], [], [4]] {
            try OutputFile.replace(path, with: bytes)
            #expect(try folder.read("a/b/file") == bytes)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/a/b") == ["file"])
        // A folder is not replaced, and nothing is left behind.
        #expect(throws: OutputFileError.self) { try OutputFile.replace(folder.path + "/a/b", with: [1]) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path + "/a") == ["b"])
    }
}
