import Foundation
import Kernels
public import Transport

/// A node's key pair in a file of its own, and for a worker the key that it knows the coordinator by. One line each:
/// `name: …`, `public: …`, `secret: …`, `coordinator: …`; lines that begin with `#` are comments.
public struct KeyFile: Sendable {
    public let path: String
    public let node: NodeID
    public let keys: KeyPair
    /// Nil in the coordinator's own file.
    public let coordinatorKey: PublicKey?

    private static let largestFile = 4096

    public init(path: String, node: NodeID, keys: KeyPair, coordinatorKey: PublicKey?) {
        (self.path, self.node, self.keys, self.coordinatorKey) = (path, node, keys, coordinatorKey)
    }

    /// Reads a file that nobody else may read.
    ///
    /// - Throws: `KeyFileError` that names the file, the problem and the remedy.
    public init(path: String) throws(KeyFileError) {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let permissions = (attributes?[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard attributes == nil || permissions & 0o077 == 0 else {
            throw KeyFileError("\(path): others may read it; chmod 600 it, and make new keys if they may have")
        }
        let lines = try KeyFileError.lines(of: path, limit: Self.largestFile)
        var values: [String: String] = [:]
        for line in lines {
            guard let colon = line.range(of: ": ") else { throw KeyFileError("\(path): a line is no name: value") }
            values[String(line[..<colon.lowerBound])] = String(line[colon.upperBound...])
        }
        guard let node = values["name"].flatMap({ NodeID($0) }),
            let publicKey = values["public"].flatMap({ PublicKey($0) }),
            let secretKey = values["secret"].flatMap({ SecretKey($0) })
        else { throw KeyFileError("\(path): name, public or secret is missing or no key; make it by ryz keygen") }
        let coordinatorKey = values["coordinator"].flatMap { PublicKey($0) }
        guard (coordinatorKey == nil) == (values["coordinator"] == nil) else {
            throw KeyFileError("\(path): coordinator is no key; copy the file anew")
        }
        self.init(
            path: path, node: node, keys: KeyPair(publicKey: publicKey, secretKey: secretKey),
            coordinatorKey: coordinatorKey)
    }

    /// Makes the file, readable for its owner only.
    ///
    /// - Throws: `KeyFileError` if there is one already, or it cannot be made.
    public func write() throws(KeyFileError) {
        var text = "# The key of \(node) in a Ryzanstein cluster. Whoever has it can join as \(node).\n"
        text += "name: \(node)\npublic: \(keys.publicKey)\nsecret: \(keys.secretKey.text)\n"
        if let coordinatorKey { text += "coordinator: \(coordinatorKey)\n" }
        let files = FileManager.default
        guard !files.fileExists(atPath: path) else {
            throw KeyFileError("\(path): it is there already; keys are not replaced")
        }
        do {
            // Empty until nobody else may read it.
            guard files.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]) else {
                throw KeyFileError("\(path): it cannot be made")
            }
            try files.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            try handle.write(contentsOf: Data(text.utf8))
        } catch {
            throw KeyFileError("\(path): it cannot be written; see whether the folder is there and yours")
        }
    }
}

/// What is wrong with a file of keys, and what helps.
public struct KeyFileError: Error, CustomStringConvertible, Sendable {
    public let description: String

    init(_ description: String) { self.description = description }

    /// The lines of a small file, without empty ones and comments.
    static func lines(of path: String, limit: Int) throws(KeyFileError) -> [String] {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            defer { try? handle.close() }
            data = try handle.read(upToCount: limit + 1) ?? Data()
        } catch {
            throw KeyFileError("\(path): it cannot be read; make keys by ryz keygen")
        }
        guard data.count <= limit else { throw KeyFileError("\(path): it is too long to be a file of keys") }
        return String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline)
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }

    /// Adds lines at the end of a list.
    static func append(_ lines: [String], to path: String) throws {
        let list = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? list.close() }
        let end = try list.seekToEnd()
        var text = lines.map { $0 + "\n" }.joined()
        if end > 0 {
            try list.seek(toOffset: end - 1)
            // Whoever has edited it may have left out the end of the last line.
            if try list.read(upToCount: 1) != Data("\n".utf8) { text = "\n" + text }
        }
        try list.write(contentsOf: Data(text.utf8))
    }

    /// Takes out the lines whose words are such, and leaves the others as they are. Readers see the old file or the new.
    ///
    /// - Parameter what: what the error calls it if there is no such line.
    static func removeLine(
        from path: String, limit: Int, what: String, where isIt: ([Substring]) -> Bool
    ) throws {
        // Whatever is not to be read is not to be replaced either.
        _ = try lines(of: path, limit: limit)
        let url = URL(fileURLWithPath: path)
        let lines = String(decoding: try Data(contentsOf: url), as: UTF8.self).split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        let kept = lines.filter { line in
            line.trimmingCharacters(in: .whitespaces).hasPrefix("#") || !isIt(line.split(separator: " "))
        }
        guard kept.count < lines.count else { throw KeyFileError("\(path): there is no \(what)") }
        try OutputFile.replace(path, with: Array(kept.joined(separator: "\n").utf8), isPrivate: true)
    }
}
