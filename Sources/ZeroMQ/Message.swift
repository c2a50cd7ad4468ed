import CZeroMQ
import Transport

/// Owner of one message part.
public struct Message: ~Copyable {
    /// On the heap: libzmq does not promise that a `zmq_msg_t` may be moved as plain bytes.
    let part: UnsafeMutablePointer<zmq_msg_t>

    /// An empty part, to receive into.
    public init() {
        part = .allocate(capacity: 1)
        zmq_msg_init(part)
    }

    /// A part of `byteCount` bytes, zero until `fill` has set them.
    public init(byteCount: Int, filledBy fill: (inout MutableRawSpan) -> Void) throws(ZeroMQError) {
        part = try Self.allocate(byteCount: byteCount)
        guard byteCount > 0, let bytes = zmq_msg_data(part) else { return }
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        var span = MutableRawSpan(_unsafeStart: bytes, byteCount: byteCount)
        fill(&span)
    }

    /// A part with a copy of `bytes`.
    public init(copying bytes: RawSpan) throws(ZeroMQError) {
        let byteCount = bytes.byteCount
        part = try Self.allocate(byteCount: byteCount)
        guard byteCount > 0, let target = zmq_msg_data(part) else { return }
        bytes.withUnsafeBytes { source in
            guard let start = source.baseAddress else { return }
            target.copyMemory(from: start, byteCount: byteCount)
        }
    }

    /// A part with a copy of `bytes`.
    public init(copying bytes: [UInt8]) throws(ZeroMQError) { try self.init(copying: bytes.span.bytes) }

    /// A part with a text in UTF-8.
    public init(text: String) throws(ZeroMQError) { try self.init(copying: Array(text.utf8).span.bytes) }

    /// Its bytes as UTF-8.
    public var text: String {
        String(decoding: UnsafeRawBufferPointer(start: zmq_msg_data(part), count: zmq_msg_size(part)), as: UTF8.self)
    }

    deinit {
        zmq_msg_close(part)
        part.deallocate()
    }

    public var byteCount: Int { zmq_msg_size(part) }

    /// Whether another part of the same message follows.
    public var hasMore: Bool { zmq_msg_more(part) != 0 }

    /// The text of the sender's key, which the authenticator knew; nil on a connection that it was not asked about.
    var authenticatedKey: String? { zmq_msg_gets(part, "User-Id").map { String(cString: $0) } }

    /// Calls `body` with all bytes. They may start at any address.
    public func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let buffer = UnsafeRawBufferPointer(start: zmq_msg_data(part), count: zmq_msg_size(part))
        return try body(RawSpan(_unsafeBytes: buffer))
    }

    private static func allocate(byteCount: Int) throws(ZeroMQError) -> UnsafeMutablePointer<zmq_msg_t> {
        let part = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)
        guard zmq_msg_init_size(part, byteCount) == 0 else {
            let error = ZeroMQError("allocate", "a message of \(byteCount) bytes")
            part.deallocate()
            throw error
        }
        return part
    }
}

/// A received part kept as the payload of a delivery.
final class ReceivedPayload: Payload {
    private let message: Message
    /// A copy at an aligned address, if the part itself was at an odd one.
    private let aligned: UnsafeMutableRawBufferPointer?

    init(_ message: consuming Message) {
        self.message = message
        // libzmq hands out small parts inside its receive buffer, at any address; parts of 8 KiB and more have memory
        // of their own. So only small ones are ever copied.
        let alignment = 8
        let address = zmq_msg_data(self.message.part)
        if Int(bitPattern: address) % alignment == 0 {
            aligned = nil
        } else {
            let copy = UnsafeMutableRawBufferPointer.allocate(
                byteCount: self.message.byteCount, alignment: alignment)
            copy.copyMemory(from: UnsafeRawBufferPointer(start: address, count: self.message.byteCount))
            aligned = copy
        }
    }

    deinit { aligned?.deallocate() }

    var byteCount: Int { message.byteCount }

    func withBytes<Result, Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if let aligned { return try body(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(aligned))) }
        return try message.withBytes(body)
    }
}
