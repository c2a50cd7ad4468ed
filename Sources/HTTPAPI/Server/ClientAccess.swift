import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Synchronization
public import Transport

/// Who may ask: those whose keys are known, each for what its role allows. Clients send theirs as OpenAI's do:
/// `Authorization: Bearer KEY`.
public final class ClientAccess: Sendable {
    private let roles: Mutex<[[UInt8]: ClientKey.Role]>

    public init(_ keys: [ClientKey]) { roles = Mutex(Self.roles(keys)) }

    /// Knows these keys from now on and no others. Answers that have begun go on.
    public func allow(_ keys: [ClientKey]) {
        let known = Self.roles(keys)
        roles.withLock { $0 = known }
    }

    /// - Returns: what tells the client from others.
    /// - Throws: `APIError.keyMissing`, `.keyUnknown` or `.keyInsufficient`.
    func check(_ request: Request, for role: ClientKey.Role) throws(APIError) -> String {
        guard let field = request.headers[.authorization] else { throw .keyMissing }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw .keyMissing }
        // What is looked up is a hash, so the time that it takes tells nothing of the keys.
        let digest = Array(SHA256.hash(data: Data(parts[1].utf8)))
        guard let known = roles.withLock({ $0[digest] }) else { throw .keyUnknown }
        guard role == .client || known == .operator else { throw .keyInsufficient }
        return digest.prefix(16).hexadecimal
    }

    private static func roles(_ keys: [ClientKey]) -> [[UInt8]: ClientKey.Role] {
        Dictionary(keys.map { ($0.digest, $0.role) }) { $1 }
    }
}
