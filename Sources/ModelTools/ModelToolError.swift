/// Why a tool for models could not do its work. Trying again helps only where the text says so.
public enum ModelToolError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Layers could not be divided as asked.
    case planning(String)

    public var description: String {
        switch self {
        case .planning(let message): message
        }
    }
}
