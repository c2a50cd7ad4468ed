/// Why a tool for models could not do its work. Trying again helps only where the text says so.
public enum ModelToolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Layers could not be divided as asked.
    case planning(String)
    /// A folder or file could not be written.
    case output(String)
    /// What was asked for makes no sense for this model.
    case request(String)
    /// The user stopped the work; nothing is left of it.
    case interrupted

    public var description: String {
        switch self {
        case .planning(let message), .output(let message), .request(let message): message
        case .interrupted: "interrupted; nothing was written"
        }
    }
}

/// How far long work has come, in bytes of its output.
public struct WorkProgress: Sendable {
    /// Such as `layer 3 of 30`.
    public var what: String
    public var doneByteCount: Int
    public var totalByteCount: Int
}
