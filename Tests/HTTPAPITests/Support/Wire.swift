import Foundation
import NIOCore
import NIOPosix

/// A bare TCP client for the tests, which sends what it is told and nothing else.
enum Wire {
    struct Failure: Error {
        var problem: String
    }

    /// A connection that is closed when `body` ends.
    ///
    /// - Parameter receiveBuffer: bytes that the system may keep for a client that doesn't read.
    static func connected<Value: Sendable>(
        port: Int, receiveBuffer: Int32? = nil,
        _ body: (NIOAsyncChannelInboundStream<ByteBuffer>, NIOAsyncChannelOutboundWriter<ByteBuffer>) async throws ->
            Value
    ) async throws -> Value {
        var bootstrap = ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        let channel = try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
            }
        }
        return try await channel.executeThenClose(body)
    }

    /// The text of a request that asks for the connection to be closed after it.
    /// - Parameter fields: further lines of the header.
    static func request(_ method: String, _ path: String, _ body: [UInt8], fields: String = "") -> [UInt8] {
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            + fields + "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
        return Array(head.utf8) + body
    }

    /// Sends `bytes` and reads the answer until the server closes the connection.
    static func exchange(port: Int, _ bytes: [UInt8]) async throws -> Answer {
        try await connected(port: port) { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            var received: [UInt8] = []
            for try await part in inbound { received.append(contentsOf: part.readableBytesView) }
            return try parse(received)
        }
    }

    static func parse(_ bytes: [UInt8]) throws -> Answer {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let separator = text.range(of: "\r\n\r\n") else { throw Failure(problem: "no header in '\(text)'") }
        let lines = text[..<separator.lowerBound].components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw Failure(problem: "no status in '\(lines[0])'")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var body = Array(bytes[(text[..<separator.upperBound].utf8.count)...])
        if headers["transfer-encoding"] == "chunked" { body = try unchunk(body) }
        return Answer(status: status, headers: headers, body: body)
    }

    private static func unchunk(_ bytes: [UInt8]) throws -> [UInt8] {
        var body: [UInt8] = []
        var rest = bytes[...]
        while let lineEnd = rest.firstIndex(of: 0x0D) {
            guard let length = Int(String(decoding: rest[..<lineEnd], as: UTF8.self), radix: 16) else { break }
            if length == 0 { return body }
            body.append(contentsOf: rest[(lineEnd + 2)..<(lineEnd + 2 + length)])
            rest = rest[(lineEnd + 4 + length)...]
        }
        throw Failure(problem: "the chunked body breaks off")
    }
}
