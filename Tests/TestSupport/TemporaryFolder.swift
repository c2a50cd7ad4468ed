import Foundation

/// A folder that is removed, with all in it, when the last reference to it goes.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: false)
        path = url.path
    }

    /// A folder with copies of the files in `original`.
    public convenience init(copying original: String) throws {
        try self.init()
        for name in try FileManager.default.contentsOfDirectory(atPath: original) {
            try write(Array(Data(contentsOf: URL(fileURLWithPath: original + "/" + name))), name)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    public func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

    public func read(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)))
    }

    public func text(_ name: String) throws -> String { String(decoding: try read(name), as: UTF8.self) }

    public func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: path + "/" + name) }

    /// Replaces the one place where `old` stands in a file.
    public func replace(_ old: String, with new: String, in name: String) throws {
        let text = try text(name)
        guard text.components(separatedBy: old).count == 2 else { throw NotOnce(text: old) }
        try write(text.replacingOccurrences(of: old, with: new), name)
    }

    struct NotOnce: Error { var text: String }
}
