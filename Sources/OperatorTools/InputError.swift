/// Why a file that the operator named cannot be used.
public enum InputError: Error, Equatable, Sendable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case tooLarge(path: String, limitByteCount: Int)
    case notUTF8(path: String)
    /// It is not what it should be; the problem says where and why.
    case unexpected(path: String, problem: String)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): it cannot be read: \(reason)"
        case .tooLarge(let path, let limit): "\(path): it has more than \(limit) bytes; give a smaller file"
        case .notUTF8(let path): "\(path): it is not UTF-8 text; convert it"
        case .unexpected(let path, let problem): "\(path): \(problem)"
        }
    }
}
