import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// One HTTP/1.1 request and its answer, on a connection of its own.
struct HTTPExchange: Sendable {
    var address: CoordinatorAddress
    var method: HTTPMethod
    var path: String
    var body: [UInt8]?
    /// What the coordinator knows the caller by, if it wants that.
    var key: String?
    /// The event after which a stream is to go on.
    var lastEventID: String?
    var timeouts: ClusterClient.Timeouts

    private var url: String { address.description + path }

    /// Sends the request and hands the answer's body on as it comes.
    ///
    /// - Throws: ``ClusterClientError``, also for an answer with a status that is no success; `CancellationError` when the
    ///   calling task is cancelled.
    func run(_ receive: (ByteBuffer) async throws -> Void) async throws {
        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        let expiry = Expiry()
        do {
            channel = try await connect(expiry)
        } catch {
            throw ClusterClientError.unreachable(url: url, reason: Self.reason(error))
        }
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(contentsOf: requestParts)
                try await self.receive(inbound, receive)
            }
            try Task.checkCancellation()
        } catch let error as CancellationError {
            throw error
        } catch let error as ClusterClientError where !expiry.hasHappened.load(ordering: .acquiring) {
            throw error
        } catch {
            try Task.checkCancellation()
            if expiry.hasHappened.load(ordering: .acquiring) {
                throw ClusterClientError.timedOut(url: url, seconds: Int(timeouts.read.components.seconds))
            }
            throw ClusterClientError.connectionLost(url: url, reason: Self.reason(error))
        }
    }

    /// The whole body of the answer.
    func collect() async throws -> Data {
        var data = Data()
        try await run { part in
            guard data.count + part.readableBytes <= ClusterClient.maximumAnswerByteCount else {
                throw ClusterClientError.unexpectedAnswer(
                    url: url, problem: "more than \(ClusterClient.maximumAnswerByteCount) bytes")
            }
            data.append(contentsOf: part.readableBytesView)
        }
        return data
    }

    private func connect(
        _ expiry: Expiry
    ) async throws -> NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart> {
        let readTimeout = TimeAmount(timeouts.read)
        return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connectTimeout(TimeAmount(timeouts.connect))
            .connect(host: address.host, port: address.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(IdleStateHandler(readTimeout: readTimeout))
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(ReadTimeoutHandler(expiry))
                    return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                }
            }
    }

    private var requestParts: [HTTPClientRequestPart] {
        var headers = HTTPHeaders([
            (
                "Host",
                address.host.contains(":") ? "[\(address.host)]:\(address.port)" : "\(address.host):\(address.port)"
            ),
            ("Connection", "close"), ("Accept", "application/json, text/event-stream"),
        ])
        if let key { headers.add(name: "Authorization", value: "Bearer \(key)") }
        if let lastEventID { headers.add(name: "Last-Event-ID", value: lastEventID) }
        if let body {
            headers.add(name: "Content-Type", value: "application/json")
            headers.add(name: "Content-Length", value: String(body.count))
        }
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        var parts: [HTTPClientRequestPart] = [.head(head)]
        if let body { parts.append(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
        return parts + [.end(nil)]
    }

    private func receive(
        _ inbound: NIOAsyncChannelInboundStream<HTTPClientResponsePart>, _ receive: (ByteBuffer) async throws -> Void
    ) async throws {
        var status = 0
        var problem = Data()
        for try await part in inbound {
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let buffer) where (200...299).contains(status): try await receive(buffer)
            case .body(let buffer):
                // Enough of an error to show.
                if problem.count < 65536 { problem.append(contentsOf: buffer.readableBytesView) }
            case .end:
                if (200...299).contains(status) { return }
                throw refusal(status, problem)
            }
        }
        try Task.checkCancellation()
        throw ClusterClientError.connectionLost(url: url, reason: "it was closed before the answer was complete")
    }

    private func refusal(_ status: Int, _ body: Data) -> ClusterClientError {
        if let error = try? JSONDecoder().decode(ServerError.self, from: body).error {
            return .refused(url: url, status: status, code: error.code, message: error.message)
        }
        return .unexpectedAnswer(url: url, problem: "HTTP status \(status)")
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if error.dnsAError != nil || error.dnsAAAAError != nil, error.connectionErrors.isEmpty {
                return "no address is known for \(error.host)"
            }
            return error.connectionErrors.first.map { reason($0.error) } ?? "no connection"
        case let error as IOError:
            switch error.errnoCode {
            case ECONNREFUSED: return "connection refused"
            case ECONNRESET, EPIPE: return "reset by the other side"
            case EHOSTUNREACH, ENETUNREACH: return "no route there"
            case ETIMEDOUT: return "no connection in time"
            default: return "\(error)"
            }
        case ChannelError.connectTimeout: return "no connection in time"
        default: return "\(error)"
        }
    }
}

/// Whether nothing came from the server for the read time-out. The error that this ends an exchange with depends on
/// what the exchange was doing.
private final class Expiry: Sendable {
    let hasHappened = Atomic(false)
}

private final class ReadTimeoutHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let expiry: Expiry

    init(_ expiry: Expiry) { self.expiry = expiry }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        expiry.hasHappened.store(true, ordering: .releasing)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension ReadTimeoutHandler: Sendable {}
