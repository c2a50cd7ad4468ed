import CClusterProto
import CProtobufC
import Glibc
import Transport

/// Makes Swift values of protobuf-c's structs.
///
/// Checks here what a Swift value could not express or must not be allocated for: presence, encodings, lengths. What
/// the values mean is checked by `EnvelopeRules`.
struct EnvelopeReader {
    let limits: WireLimits

    func envelope(_ message: UnsafeMutablePointer<Ryz__V1__Envelope>) throws(WireError) -> Envelope {
        let senderName = try text(message.pointee.sender, "sender", limit: 64)
        guard message.pointee.protocol_version == Envelope.protocolVersion else {
            throw .otherVersion(
                theirs: message.pointee.protocol_version, ours: Envelope.protocolVersion,
                sender: NodeID(senderName)?.name ?? "a node")
        }
        let clusterID = try text(message.pointee.cluster_id, "clusterID", limit: limits.maximumClusterIDByteCount)
        return Envelope(
            clusterID: clusterID, epoch: Epoch(message.pointee.epoch), sender: try node(senderName, "sender"),
            body: try body(message))
    }

    private func body(_ message: UnsafeMutablePointer<Ryz__V1__Envelope>) throws(WireError) -> Envelope.Body {
        switch message.pointee.body_case {
        case RYZ__V1__ENVELOPE__BODY_HELLO: .hello(try hello(try present(message.pointee.hello)))
        case RYZ__V1__ENVELOPE__BODY_HEARTBEAT:
            .heartbeat(try heartbeat(try present(message.pointee.heartbeat)))
        case RYZ__V1__ENVELOPE__BODY_READY: .ready(try ready(try present(message.pointee.ready)))
        case RYZ__V1__ENVELOPE__BODY_FAILURE: .failure(try failure(try present(message.pointee.failure)))
        case RYZ__V1__ENVELOPE__BODY_LEAVE:
            .leave(Leave(reason: try text(try present(message.pointee.leave).pointee.reason, "leave.reason")))
        case RYZ__V1__ENVELOPE__BODY_MEASUREMENT_REPORT:
            .measurementReport(try report(try present(message.pointee.measurement_report)))
        case RYZ__V1__ENVELOPE__BODY_WEIGHTS_OFFER:
            .weightsOffer(try weightsOffer(try present(message.pointee.weights_offer)))
        case RYZ__V1__ENVELOPE__BODY_WEIGHTS_SOURCES:
            .weightsSources(try weightsSources(try present(message.pointee.weights_sources)))
        case RYZ__V1__ENVELOPE__BODY_WELCOME: .welcome(try welcome(try present(message.pointee.welcome)))
        case RYZ__V1__ENVELOPE__BODY_HEARTBEAT_REPLY:
            .heartbeatReply(HeartbeatReply(number: try present(message.pointee.heartbeat_reply).pointee.number))
        case RYZ__V1__ENVELOPE__BODY_ASSIGNMENT:
            .assignment(try assignment(try present(message.pointee.assignment)))
        case RYZ__V1__ENVELOPE__BODY_REFUSAL:
            .refusal(Refusal(reason: try text(try present(message.pointee.refusal).pointee.reason, "refusal.reason")))
        case RYZ__V1__ENVELOPE__BODY_KEYRING: .keyring(try keyring(try present(message.pointee.keyring)))
        case RYZ__V1__ENVELOPE__BODY_RELEASE: .release
        case RYZ__V1__ENVELOPE__BODY_STANDBY: .standby(try assignment(try present(message.pointee.standby)))
        case RYZ__V1__ENVELOPE__BODY_MEASUREMENT_ORDER:
            .measurementOrder(try order(try present(message.pointee.measurement_order)))
        case RYZ__V1__ENVELOPE__BODY_STEP: .step(try step(try present(message.pointee.step)))
        case RYZ__V1__ENVELOPE__BODY_STEP_RESULT:
            .stepResult(try stepResult(try present(message.pointee.step_result)))
        case RYZ__V1__ENVELOPE__BODY_EXCHANGE: .exchange(exchange(try present(message.pointee.exchange)))
        case RYZ__V1__ENVELOPE__BODY_LINK_PROBE: .linkProbe(try probe(try present(message.pointee.link_probe)))
        case RYZ__V1__ENVELOPE__BODY_WEIGHTS_REQUEST:
            .weightsRequest(try weightsRequest(try present(message.pointee.weights_request)))
        case RYZ__V1__ENVELOPE__BODY_WEIGHTS_REPLY:
            .weightsReply(try weightsReply(try present(message.pointee.weights_reply)))
        default: throw .missingBody
        }
    }

    /// The part that a oneof names.
    func present<Message>(
        _ message: UnsafeMutablePointer<Message>?
    ) throws(WireError) -> UnsafeMutablePointer<Message> {
        guard let message else { throw .missingBody }
        return message
    }

    /// A string of at most `limit` bytes of valid UTF-8.
    func text(_ pointer: UnsafeMutablePointer<CChar>?, _ field: String, limit: Int? = nil) throws(WireError) -> String {
        guard let pointer else { return "" }
        let limit = limit ?? limits.maximumTextByteCount
        guard strnlen(pointer, limit + 1) <= limit else {
            throw .invalid(field: field, problem: "is longer than \(limit) bytes")
        }
        guard let text = String(validatingCString: pointer) else {
            throw .invalid(field: field, problem: "is not UTF-8")
        }
        return text
    }

    func node(_ name: String, _ field: String) throws(WireError) -> NodeID {
        guard let node = NodeID(name) else {
            throw .invalid(field: field, problem: "is not a node name: 1 to 64 of A–Z a–z 0–9 . _ -")
        }
        return node
    }

    /// A copy of `count` elements, at most `limit`.
    func array<Element: BitwiseCopyable>(
        _ pointer: UnsafeMutablePointer<Element>?, _ count: Int, _ field: String, limit: Int
    ) throws(WireError) -> [Element] {
        guard (0...limit).contains(count) else {
            throw .invalid(field: field, problem: "has \(count) entries; at most \(limit) are taken")
        }
        guard count > 0, let pointer else { return [] }
        return Array(UnsafeBufferPointer(start: pointer, count: count))
    }

    /// `count` messages, at most `limit`, each read by `read` under the name of its place.
    func values<Message, Value>(
        _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int, _ field: String, limit: Int,
        _ read: (UnsafeMutablePointer<Message>, String) throws(WireError) -> Value
    ) throws(WireError) -> [Value] {
        guard (0...limit).contains(count) else {
            throw .invalid(field: field, problem: "has \(count) entries; at most \(limit) are taken")
        }
        var values: [Value] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            guard let message = pointers?[index] else { throw .malformed }
            values.append(try read(message, "\(field)[\(index)]"))
        }
        return values
    }

    func binary(_ data: ProtobufCBinaryData, _ field: String, byteCount: Int) throws(WireError) -> [UInt8] {
        guard data.len == byteCount else {
            throw .invalid(field: field, problem: "has \(data.len) bytes instead of \(byteCount)")
        }
        return try array(data.data, data.len, field, limit: byteCount)
    }

    func integer(_ value: UInt64, _ field: String) throws(WireError) -> Int {
        guard let integer = Int(exactly: value) else {
            throw .invalid(field: field, problem: "\(value) is out of range")
        }
        return integer
    }

    func duration(_ nanoseconds: UInt64, _ field: String) throws(WireError) -> Duration {
        guard let nanoseconds = Int64(exactly: nanoseconds) else {
            throw .invalid(field: field, problem: "\(nanoseconds) ns is out of range")
        }
        return .nanoseconds(nanoseconds)
    }
}
