/// Why bytes are not an envelope that this node takes, or why an envelope cannot be sent.
public enum WireError: Error, Equatable, Sendable {
    /// More bytes than an envelope may have.
    case tooLarge(byteCount: Int, limit: Int)
    /// Unpacking would take more memory than `limit` bytes: many more parts than an honest envelope of this size has.
    case tooComplex(limit: Int)
    /// Not a protobuf message of this kind.
    case malformed
    /// Of another protocol version.
    case otherVersion(theirs: UInt32, ours: UInt32, sender: String)
    /// None of the bodies that this version knows.
    case missingBody
    /// A field whose value cannot be taken.
    case invalid(field: String, problem: String)
}

extension WireError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooLarge(let byteCount, let limit): "an envelope of \(byteCount) bytes; at most \(limit) are taken"
        case .tooComplex(let limit): "an envelope that needs more than \(limit) bytes of memory to unpack"
        case .malformed: "not an envelope"
        case .otherVersion(let theirs, let ours, let sender):
            "\(sender) speaks protocol version \(theirs), this node version \(ours); install the same release on both"
        case .missingBody: "an envelope without a body that protocol version 1 knows"
        case .invalid(let field, let problem): "\(field): \(problem)"
        }
    }
}
