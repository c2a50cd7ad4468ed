import Crypto
import Foundation
public import Transport

/// The keys of those who may speak HTTP with the coordinator, in a file on the head node: `NAME ROLE HASH`, line by line.
/// The keys themselves are nowhere but with their owners.
public struct ClientKeyList: Sendable {
    public let path: String

    /// Most keys that a list has, and with them the largest file.
    public static let limit = 4096
    private static let largestFile = limit * 160
    private static let heading = "# Clients that may speak HTTP: NAME ROLE SHA-256. Whose line is taken out may not.\n"

    init(path: String) { self.path = path }

    /// - Throws: `KeyFileError` that names the file, the problem and the remedy.
    public func keys() throws(KeyFileError) -> [ClientKey] {
        var keys: [ClientKey] = []
        for line in try KeyFileError.lines(of: path, limit: Self.largestFile) {
            guard let key = ClientKey(line: line) else {
                throw KeyFileError("\(path): a line is no name, role and hash; make keys by ryz keygen --client NAME")
            }
            guard !keys.contains(where: { $0.name == key.name || $0.digest == key.digest }) else {
                throw KeyFileError("\(path): \(key.name) or its key is there twice; keep one line")
            }
            keys.append(key)
        }
        guard keys.count <= Self.limit else {
            throw KeyFileError("\(path): it has \(keys.count) keys; keep \(Self.limit) or fewer")
        }
        return keys
    }

    /// Makes a key and lists its hash; makes the file if it is not there.
    ///
    /// - Returns: the key, which is kept nowhere.
    public func add(_ name: NodeID, _ role: ClientKey.Role) throws -> String {
        let manager = FileManager.default
        if !manager.fileExists(atPath: path) {
            let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
            try manager.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            guard
                manager.createFile(
                    atPath: path, contents: Data(Self.heading.utf8), attributes: [.posixPermissions: 0o600])
            else { throw KeyFileError("\(path): it cannot be made; see whether the folder is yours") }
        }
        let known = try keys()
        guard known.count < Self.limit else {
            throw KeyFileError("\(path): it has \(Self.limit) keys, its limit; ryz revoke --client NAME makes room")
        }
        guard !known.contains(where: { $0.name == name }) else {
            throw KeyFileError("\(path): \(name) has a key already; ryz revoke --client \(name) ends it")
        }
        var random = SystemRandomNumberGenerator()
        let secret = "ryz-" + (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }.hexadecimal
        let key = ClientKey(name: name, role: role, digest: Array(SHA256.hash(data: Data(secret.utf8))))
        try KeyFileError.append([key.line], to: path)
        return secret
    }

    /// Takes a key out of the list.
    ///
    /// - Throws: `KeyFileError` if it is not there.
    public func remove(_ name: NodeID) throws {
        try KeyFileError.removeLine(from: path, limit: Self.largestFile, what: "client \(name)") {
            $0.first == name.name[...]
        }
    }
}

extension ClientKey {
    fileprivate init?(line: String) {
        let parts = line.split(separator: " ").map(String.init)
        guard parts.count == 3, let name = NodeID(parts[0]), let role = Role(rawValue: parts[1]),
            let digest = [UInt8](hexadecimal: parts[2].utf8), digest.count == SHA256.byteCount
        else { return nil }
        self.init(name: name, role: role, digest: digest)
    }

    fileprivate var line: String { "\(name) \(role.rawValue) \(digest.hexadecimal)" }
}
