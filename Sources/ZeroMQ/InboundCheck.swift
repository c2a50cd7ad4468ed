import Transport
import Wire

/// What must hold of a message before its receiver sees it: who sent it, and that it is an envelope.
struct InboundCheck {
    var limits: WireLimits
    /// Envelopes of another cluster are dropped; nil leaves that to the receiver.
    var clusterID: String?
    /// Bytes that the part behind the envelope may have; nil if there must be none.
    var maximumPayloadByteCount: Int?
    /// Whose connections are taken; nil on plain text.
    var security: NodeSecurity?

    /// A message that is not let through.
    struct Rejection: Error {
        var sender: String
        var reason: DropReason
        /// If the reason is `.otherVersion`: the connection and the version it speaks.
        var otherVersion: (connection: ConnectionID, version: UInt32)?
    }

    /// The connection that a ROUTER's first part names.
    func connection(_ routingID: borrowing Message) throws(Rejection) -> ConnectionID {
        let connection = routingID.withBytes { ConnectionID(routingID: $0) }
        guard let connection else {
            throw Rejection(
                sender: routingID.withBytes { ConnectionID.text(forLog: $0) }, reason: .unknownSender)
        }
        return connection
    }

    /// The envelope in `part`, from `connection`.
    func envelope(_ part: borrowing Message, from connection: ConnectionID) throws(Rejection) -> Envelope {
        let envelope: Envelope
        do throws(WireError) {
            envelope = try part.withBytes { bytes throws(WireError) in try Wire.decode(bytes, limits: limits) }
        } catch {
            throw rejection(of: error, from: connection)
        }
        if envelope.sender != connection.node { throw rejection(.forgedSender, from: connection) }
        if let security {
            guard let key = part.authenticatedKey else { throw rejection(.forgedSender, from: connection) }
            // Its connection may be older than the decision that this key has no business here any more.
            guard let node = security.node(ofKey: key) else { throw rejection(.revoked, from: connection) }
            guard node == connection.node else { throw rejection(.forgedSender, from: connection) }
        }
        if let clusterID, envelope.clusterID != clusterID { throw rejection(.otherCluster, from: connection) }
        return envelope
    }

    /// Checks the size of what follows the envelope.
    func checkPayload(byteCount: Int?, from connection: ConnectionID) throws(Rejection) {
        guard let byteCount else { return }
        guard let maximumPayloadByteCount else { throw rejection(.unexpectedFrames, from: connection) }
        if byteCount > maximumPayloadByteCount { throw rejection(.oversized, from: connection) }
    }

    func rejection(_ reason: DropReason, from connection: ConnectionID) -> Rejection {
        Rejection(sender: connection.node.name, reason: reason)
    }

    private func rejection(of error: WireError, from connection: ConnectionID) -> Rejection {
        switch error {
        case .otherVersion(let theirs, _, _):
            Rejection(
                sender: connection.node.name, reason: .otherVersion, otherVersion: (connection, theirs))
        case .tooLarge, .tooComplex: rejection(.oversized, from: connection)
        case .malformed, .missingBody, .invalid: rejection(.malformed, from: connection)
        }
    }
}
