import ClusterCore
import Foundation
import NIOCore
import Testing

@testable import HTTPAPI

/// What happens on and to connections, over real sockets.
@Suite(.timeLimit(.minutes(10)))
struct ConnectionTests {
    static let path = "/v1/chat/completions"

    private static func body(stream: Bool) -> [UInt8] {
        Array(#"{"messages":[{"role":"user","content":"x"}],"stream":\#(stream)}"#.utf8)
    }

    @Test(arguments: [false, true])
    func `a client that goes away while nothing is sent cancels its request`(stream: Bool) async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260], ending: .hang) }
        try await TestServer(engine).listening { port in
            try await Wire.connected(port: port) { inbound, outbound in
                try await outbound.write(ByteBuffer(bytes: Wire.request("POST", Self.path, Self.body(stream: stream))))
                if stream {
                    var received = ""
                    for try await part in inbound {
                        received += String(buffer: part)
                        if received.contains("Hello") { break }
                    }
                } else {
                    while engine.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                }
            }
            // The connection is closed now.
            #expect(await engine.nextCancellation() == engine.requests[0].id)
        }
    }

    @Test func `all choices of a client that goes away are cancelled`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260], ending: .hang) }
        try await TestServer(engine).listening { port in
            let body = Array(#"{"messages":[{"role":"user","content":"x"}],"n":4}"#.utf8)
            try await Wire.connected(port: port) { _, outbound in
                try await outbound.write(ByteBuffer(bytes: Wire.request("POST", Self.path, body)))
                while engine.requests.count < 4 { try await Task.sleep(for: .milliseconds(5)) }
            }
            var cancelled: Set<String> = []
            for _ in 0..<4 { cancelled.insert(try #require(await engine.nextCancellation())) }
            #expect(cancelled == Set(engine.requests.map(\.id)))
        }
    }

    @Test func `a client that stops reading is disconnected and its request given up`() async throws {
        var limits = HTTPLimits()
        limits.stallTimeout = .milliseconds(50)
        // Some megabytes of log-probabilities, more than the system keeps for a connection.
        let engine = ScriptedEngine { _ in .init(tokens: Array(repeating: 260, count: 400), ending: .hang) }
        try await TestServer(engine, limits: limits).listening { port in
            let body =
                #"{"messages":[{"role":"user","content":"x"}],"stream":true,"n":8,"logprobs":true,"top_logprobs":20}"#
            try await Wire.connected(port: port, receiveBuffer: 4096) { _, outbound in
                try await outbound.write(ByteBuffer(bytes: Wire.request("POST", Self.path, Array(body.utf8))))
                #expect(await engine.nextCancellation() != nil)
            }
        }
    }

    @Test func `a connection is used again for the next request`() async throws {
        let engine = ScriptedEngine(saying: "ok")
        try await TestServer(engine).listening { port in
            try await Wire.connected(port: port) { inbound, outbound in
                var iterator = inbound.makeAsyncIterator()
                for stream in [false, true, false] {
                    let body = Self.body(stream: stream)
                    let head = "POST \(Self.path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n"
                    try await outbound.write(ByteBuffer(bytes: Array(head.utf8) + body))
                    var received = ""
                    while !received.hasSuffix(stream ? "0\r\n\r\n" : "}}"), let part = try await iterator.next() {
                        received += String(buffer: part)
                    }
                    #expect(received.hasPrefix("HTTP/1.1 200 OK"))
                }
            }
        }
        #expect(engine.requests.count == 3)
        #expect(engine.cancelledRequests.isEmpty)
    }

    @Test func `a body beyond the limit is refused before it is kept, announced or not`() async throws {
        var limits = HTTPLimits()
        limits.bodyByteCount = 1000
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine, limits: limits).listening { port in
            let large = Array(repeating: UInt8(ascii: " "), count: 1001)
            let announced = try await Wire.exchange(port: port, Wire.request("POST", Self.path, large))
            let chunked =
                "POST \(Self.path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3e9\r\n\(String(repeating: " ", count: 1001))\r\n0\r\n\r\n"
            let unannounced = try await Wire.exchange(port: port, Array(chunked.utf8))
            for answer in [announced, unannounced] {
                #expect(answer.status == 413)
                #expect(try answer.json.error.code.string == "body_too_large")
                #expect(try answer.json.error.message.string?.contains("1000") == true)
            }
        }
    }

    @Test func `headers beyond the limit and bytes that are no HTTP are refused`() async throws {
        var limits = HTTPLimits()
        limits.headerByteCount = 2000
        limits.idleTimeout = .seconds(2)
        let server = TestServer(ScriptedEngine(saying: "x"), limits: limits)
        try await server.listening { port in
            let long = "GET /healthz HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 4000))\r\n\r\n"
            let many = "GET /healthz HTTP/1.1\r\nHost: a\r\n" + String(repeating: "x: 1\r\n", count: 150) + "\r\n"
            for text in [long, many, "\u{1}\u{2}\u{3}\r\n\r\n", "GET /healthz HTTP/9.9\r\n\r\n"] {
                let answer = try? await Wire.exchange(port: port, Array(text.utf8))
                #expect(answer?.status != 200)
            }
            let after = try await Wire.exchange(port: port, Wire.request("GET", "/healthz", []))
            #expect(after.status == 200)
        }
    }

    @Test func `a body that does not arrive is given up`() async throws {
        var limits = HTTPLimits()
        limits.bodyTimeout = .milliseconds(50)
        try await TestServer(ScriptedEngine(saying: "x"), limits: limits).listening { port in
            let head = "POST \(Self.path) HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"
            let answer = try await Wire.exchange(port: port, Array(head.utf8))
            #expect(answer.status == 408)
            #expect(try answer.json.error.code.string == "body_timed_out")
        }
    }

    @Test func `an idle connection is closed`() async throws {
        var limits = HTTPLimits()
        limits.idleTimeout = .milliseconds(50)
        try await TestServer(ScriptedEngine(saying: "x"), limits: limits).listening { port in
            for beginning in ["", "GET /healthz HT", "POST \(Self.path) HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"] {
                try await Wire.connected(port: port) { inbound, outbound in
                    // On a busy machine the connection may be closed already.
                    try? await outbound.write(ByteBuffer(string: beginning))
                    // Ends when the server closes the connection.
                    for try await _ in inbound {}
                }
            }
        }
    }

    @Test func `connections beyond the limit wait until one is closed`() async throws {
        var limits = HTTPLimits()
        limits.connectionCount = 1
        let engine = ScriptedEngine { request in
            .init(tokens: [260], ending: request.maximumTokenCount == 1 ? .byItself : .hang)
        }
        let server = TestServer(engine, limits: limits)
        try await server.listening { port in
            try await withThrowingTaskGroup(of: Int.self) { group in
                try await Wire.connected(port: port) { _, outbound in
                    try await outbound.write(
                        ByteBuffer(bytes: Wire.request("POST", Self.path, Self.body(stream: false))))
                    while engine.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                    group.addTask {
                        try await Wire.exchange(port: port, Wire.request("GET", "/healthz", [])).status
                    }
                    #expect(server.server.connectionCount == 1)
                }
                #expect(try await group.next() == 200)
            }
        }
    }

    @Test func `a shutdown lets a running stream end`() async throws {
        var limits = HTTPLimits()
        // However busy the machine is: what comes after the grace is another test's.
        limits.shutdownGrace = .seconds(600)
        let engine = ScriptedEngine(saying: String(repeating: "long ", count: 60))
        let server = TestServer(engine, limits: limits)
        let answer = try await withThrowingTaskGroup(of: Answer.self) { group in
            try await server.listening { port in
                group.addTask {
                    try await Wire.exchange(port: port, Wire.request("POST", Self.path, Self.body(stream: true)))
                }
                while engine.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            }
            return try #require(try await group.next())
        }
        #expect(answer.events.last == "[DONE]")
        #expect(try answer.chunks.compactMap { $0.choices[0].delta.content.string }.joined().count == 300)
    }

    @Test(arguments: [false, true])
    func `a request that outlasts the shutdown's grace is told so`(stream: Bool) async throws {
        var limits = HTTPLimits()
        limits.shutdownGrace = .milliseconds(50)
        let engine = ScriptedEngine { _ in .init(tokens: [260], ending: .hang) }
        let server = TestServer(engine, limits: limits)
        let answer = try await withThrowingTaskGroup(of: Answer.self) { group in
            try await server.listening { port in
                group.addTask {
                    try await Wire.exchange(port: port, Wire.request("POST", Self.path, Self.body(stream: stream)))
                }
                while engine.requests.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
            }
            return try #require(try await group.next())
        }
        #expect(answer.status == (stream ? 200 : 503))
        let error = stream ? try #require(try answer.chunks.last).error : try answer.json.error
        #expect(error.code.string == "shutting_down")
        #expect(await engine.nextCancellation() == engine.requests[0].id)
    }

    @Test func `a port that is taken is named`() async throws {
        let first = TestServer(ScriptedEngine(saying: "x"))
        try await first.listening { port in
            let second = TestServer(ScriptedEngine(saying: "x"), port: port)
            let error = await #expect(throws: HTTPServerError.self) { try await second.server.run() }
            #expect(error?.description.contains("127.0.0.1:\(port)") == true)
            await #expect(throws: HTTPServerError.notRunning) { try await second.server.port }
        }
    }
}
