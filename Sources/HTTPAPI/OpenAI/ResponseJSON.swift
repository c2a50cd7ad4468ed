import Foundation
import NIOCore

/// Writes response bodies and events.
enum ResponseJSON {
    static func data(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// One server-sent event: `data: {…}` and an empty line.
    static func event(_ value: some Encodable) throws -> ByteBuffer {
        let json = try data(value)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.count + 8)
        buffer.writeString("data: ")
        buffer.writeBytes(json)
        buffer.writeString("\n\n")
        return buffer
    }

    /// The same event with an id, by which a client says that it has it.
    static func event(_ event: ByteBuffer, id: String) -> ByteBuffer {
        var buffer = ByteBuffer(string: "id: \(id)\n")
        buffer.writeImmutableBuffer(event)
        return buffer
    }

    /// The event after the last one of a stream.
    static let endOfEvents = ByteBuffer(string: "data: [DONE]\n\n")
    /// A comment, which clients ignore, so that nobody between takes a long prefill for a dead connection.
    static let keepAlive = ByteBuffer(string: ": keep-alive\n\n")
}

extension Float {
    /// JSON has no infinities; -9999 is what vLLM writes for a probability of zero.
    var jsonLogProbability: Float { isFinite ? self : -9999 }
}
