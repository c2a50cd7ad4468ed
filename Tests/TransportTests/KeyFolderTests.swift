import CommandSupport
import Foundation
import Testing
import Transport

/// The files that `ryz keygen` makes and coordinator and workers read.
@Suite struct KeyFolderTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-keys-\(UUID().uuidString)")
    private var folder: KeyFolder { KeyFolder(path: root.path + "/keys") }
    private let first = NodeID("box-1")!
    private let second = NodeID("box-2")!

    /// Key pairs that are no keys but look like some, each another.
    private func newKeys() -> KeyPair {
        func text() -> String { String((0..<40).map { _ in "0123456789abcdefXYZ#:".randomElement()! }) }
        return KeyPair(publicKey: PublicKey(text())!, secretKey: SecretKey(text())!)
    }

    private func complaint(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    @Test func `what is made is what is read, and keys are added to those that are there`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let made = try folder.add([first], newKeys: newKeys)
        let coordinator = try folder.coordinator()
        #expect(coordinator.node == .coordinator && coordinator.coordinatorKey == nil)
        let read = try KeyFile(path: folder.workerPath(first))
        #expect(read.node == first && read.keys == made[0].keys)
        #expect(read.coordinatorKey == coordinator.keys.publicKey)
        _ = try folder.add([second], newKeys: newKeys)
        #expect(try folder.workers().map(\.node) == [first, second])
        #expect(try folder.workers()[0].publicKey == made[0].keys.publicKey)
        #expect(try folder.coordinator().keys == coordinator.keys)
    }

    @Test func `no key is replaced, and none is made that the list does not have`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let keys = try folder.add([first], newKeys: newKeys)[0].keys
        #expect(
            complaint { _ = try folder.add([second, first], newKeys: newKeys) }.contains("box-1 has a key already"))
        #expect(try KeyFile(path: folder.workerPath(first)).keys == keys)
        // A file that was left behind stops it behind the workers before.
        try Data().write(to: URL(fileURLWithPath: folder.workerPath(NodeID("box-3")!)))
        #expect(
            complaint { _ = try folder.add([second, NodeID("box-3")!], newKeys: newKeys) }
                .contains("keys are not replaced"))
        #expect(try folder.workers().map(\.node) == [first, second])
        #expect(try KeyFile(path: folder.workerPath(second)).node == second)
    }

    @Test func `a key that others may read is refused, and so is what is no key`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        _ = try folder.add([first], newKeys: newKeys)
        let path = folder.workerPath(first)
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
        #expect(complaint { _ = try KeyFile(path: path) }.contains("others may read it"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        try Data("name: box-1\npublic: short\n".utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(complaint { _ = try KeyFile(path: path) }.contains("make it by ryz keygen"))
        #expect(complaint { _ = try KeyFile(path: path + "-not-there") }.contains("it cannot be read"))
    }

    @Test(arguments: ["box-1", "box-1 short", "two words and more"])
    func `a line of the list that is no name and key is named`(line: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        _ = try folder.add([first], newKeys: newKeys)
        let url = URL(fileURLWithPath: folder.workersPath)
        let list = try String(contentsOf: url, encoding: .utf8)
        try Data((list + "\n# a comment\n" + line + "\n").utf8).write(to: url)
        #expect(complaint { _ = try folder.workers() }.hasPrefix(folder.workersPath))
        try Data((list + list).utf8).write(to: url)
        #expect(complaint { _ = try folder.workers() }.contains("is there twice"))
    }
}
