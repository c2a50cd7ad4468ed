import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOEmbedded
import ServiceLifecycle

@testable import HTTPAPI

/// The ways in which a request can reach the routes.
enum Carrier: CaseIterable, Sendable {
    /// Straight into the router, without a connection.
    case inProcess
    /// Over TCP, to a port on the loopback interface.
    case socket
}

/// A server around a scripted engine.
struct TestServer: Sendable {
    static let model = ServedModel(
        id: "lab/byte-model", created: 1_700_000_000, contextLength: 512, vocabularySize: ByteCodec.vocabularySize,
        ownedBy: "tests")

    let server: HTTPServer

    init(
        _ engine: ScriptedEngine, limits: HTTPLimits = HTTPLimits(), port: Int = 0, access: ClientAccess? = nil
    ) {
        server = HTTPServer(
            configuration: HTTPServerConfiguration(host: "127.0.0.1", port: port, limits: limits), model: Self.model,
            engine: engine, codec: ByteCodec(), access: access,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs `body` with a function that sends a request and returns the answer.
    func serve<Value: Sendable>(
        over carrier: Carrier,
        _ body: (_ send: @Sendable (String, String, String) async throws -> Answer) async throws -> Value
    ) async throws -> Value {
        switch carrier {
        case .inProcess:
            let responder = server.api.router().buildResponder()
            return try await body { method, path, text in
                try await Self.answer(of: responder, method, path, Array(text.utf8))
            }
        case .socket:
            return try await listening { port in
                try await body { method, path, text in
                    try await Wire.exchange(port: port, Wire.request(method, path, Array(text.utf8)))
                }
            }
        }
    }

    /// Runs the server while `body` runs, which gets the port, and shuts it down after.
    func listening<Value: Sendable>(_ body: (_ port: Int) async throws -> Value) async throws -> Value {
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                let value = try await body(try await server.port)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return value
            } catch {
                await group.triggerGracefulShutdown()
                tasks.cancelAll()
                throw error
            }
        }
    }

    /// What follows an event of a stream that the engine keeps, for a client that comes back to another server.
    static func rest(of stream: String, behind eventID: String, _ engine: ScriptedEngine) async throws -> Answer {
        guard let name = HTTPField.Name("Last-Event-ID") else { throw CancellationError() }
        return try await answer(
            of: TestServer(engine).server.api.router().buildResponder(), "GET", "/v1/ryz/streams/\(stream)", [],
            headers: [name: eventID])
    }

    static func answer(
        of responder: some HTTPResponder<ConnectionContext>, _ method: String, _ path: String, _ body: [UInt8],
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        let request = Request(
            head: .init(
                method: .init(rawValue: method)!, scheme: "http", authority: "localhost", path: path,
                headerFields: [.contentLength: String(body.count)] + headers),
            body: RequestBody(buffer: ByteBuffer(bytes: body)))
        let context = ConnectionContext(
            source: .init(
                channel: NIOAsyncTestingChannel(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        let response = try await responder.respond(to: request, context: context)
        let collector = Collector()
        try await response.body.write(collector)
        var headers: [String: String] = [:]
        for field in response.headers { headers[field.name.canonicalName] = field.value }
        return Answer(status: response.status.code, headers: headers, body: collector.bytes)
    }

    private final class Collector: ResponseBodyWriter {
        var bytes: [UInt8] = []

        func write(_ buffer: ByteBuffer) async throws { bytes.append(contentsOf: buffer.readableBytesView) }
        func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }
}
