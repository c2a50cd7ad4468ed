import Foundation

/// Tells when one of some files is another than before, by looking once in a while.
public struct FileWatch: Sendable {
    private let paths: [String]
    private var states: [State]

    private struct State: Equatable {
        var modified: Date?
        var byteCount: UInt64?
        var number: UInt64?
    }

    public init(paths: [String]) {
        self.paths = paths
        states = paths.map(Self.state)
    }

    /// Whether a file has changed, come or gone since the last call.
    public mutating func hasChanged() -> Bool {
        let now = paths.map(Self.state)
        defer { states = now }
        return now != states
    }

    private static func state(of path: String) -> State {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return State(
            modified: attributes?[.modificationDate] as? Date,
            byteCount: (attributes?[.size] as? NSNumber)?.uint64Value,
            number: (attributes?[.systemFileNumber] as? NSNumber)?.uint64Value)
    }
}
