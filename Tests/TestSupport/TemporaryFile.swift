import Foundation

/// A file that is removed when the last reference to it goes.
public final class TemporaryFile: Sendable {
    public let path: String

    public init(_ bytes: [UInt8], suffix: String = "") throws {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("ryz-\(UUID().uuidString)\(suffix)")
        try Data(bytes).write(to: url)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Replaces the contents, for tests that make many variants of a file.
    public func overwrite(_ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}
