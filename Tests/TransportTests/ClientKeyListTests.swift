import CommandSupport
import Foundation
import Testing
import Transport

/// The list that `ryz keygen --client` and `ryz revoke` write and the coordinator reads.
@Suite struct ClientKeyListTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-clients-\(UUID().uuidString)")
    private var folder: KeyFolder { KeyFolder(path: root.path) }
    private let shop = NodeID("shop")!
    private let admin = NodeID("admin")!

    private func complaint(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    @Test func `what is made is listed by its hash, and gone when it is taken back`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let list = folder.clients
        let secrets = [try list.add(shop, .client), try list.add(admin, .operator)]
        let text = try String(contentsOfFile: list.path, encoding: .utf8)
        #expect(secrets[0] != secrets[1] && secrets.allSatisfy { $0.count == 68 && !text.contains($0) })
        let keys = try list.keys()
        #expect(keys.map(\.name) == [shop, admin] && keys.map(\.role) == [.client, .operator])
        #expect(complaint { _ = try list.add(shop, .client) }.contains("shop has a key already"))
        #expect(try list.keys() == keys)
        try list.remove(shop)
        #expect(try list.keys() == [keys[1]])
        #expect(complaint { try list.remove(shop) }.contains("there is no client shop"))
        #expect(try String(contentsOfFile: list.path, encoding: .utf8).hasPrefix("#"))
        _ = try list.add(shop, .client)
        #expect(try list.keys().count == 2)
    }

    @Test func `a last line without its end stays one`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        let list = folder.clients
        _ = try list.add(shop, .client)
        let text = try String(contentsOfFile: list.path, encoding: .utf8)
        try Data(text.dropLast().utf8).write(to: URL(fileURLWithPath: list.path))
        _ = try list.add(admin, .operator)
        #expect(try list.keys().map(\.name) == [shop, admin])
    }

    @Test(arguments: ["shop client", "shop king \(String(repeating: "a", count: 64))", "shop client abc", "a b c d"])
    func `what is no list is refused and stays as it is`(line: String) throws {
        defer { try? FileManager.default.removeItem(at: root) }
        _ = try folder.clients.add(shop, .client)
        let path = folder.clients.path
        let text = try String(contentsOfFile: path, encoding: .utf8) + line + "\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        #expect(complaint { _ = try folder.clients.keys() }.contains("a line is no name, role and hash"))
        #expect(complaint { _ = try folder.clients.add(admin, .client) }.contains("a line is no name"))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test func `a worker's line is taken out and the others stay`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        func newKeys() -> KeyPair {
            func text() -> String { String((0..<40).map { _ in "0123456789abcdefXYZ#:".randomElement()! }) }
            return KeyPair(publicKey: PublicKey(text())!, secretKey: SecretKey(text())!)
        }
        _ = try folder.add([shop, admin], newKeys: newKeys)
        let kept = try folder.workers().filter { $0.node == admin }
        try folder.remove(shop)
        #expect(try folder.workers() == kept)
        #expect(complaint { try folder.remove(shop) }.contains("there is no worker shop"))
    }

    @Test func `a file that comes, changes or goes is noticed once`() throws {
        defer { try? FileManager.default.removeItem(at: root) }
        var watch = FileWatch(paths: [folder.clients.path])
        var changes: [Bool] = []
        func look() { changes += [watch.hasChanged(), watch.hasChanged()] }
        look()
        _ = try folder.clients.add(shop, .client)
        look()
        try folder.clients.remove(shop)
        look()
        try FileManager.default.removeItem(at: root)
        look()
        #expect(changes == [false, false, true, false, true, false, true, false])
    }
}
