import ClusterCore
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import ClusterClient
@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct ClusterClientTests {
    private func client(_ port: Int, read: Duration = .seconds(60)) throws -> ClusterClient {
        var timeouts = ClusterClient.Timeouts()
        timeouts.read = read
        return ClusterClient(try CoordinatorAddress("127.0.0.1:\(port)"), timeouts: timeouts)
    }

    @Test func `health, models and scores come back as they were given`() async throws {
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine).listening { port in
            let client = try client(port)
            #expect(try await client.health() == (await engine.health()))
            #expect(try await client.models() == ["lab/byte-model"])
            let scored = try await client.score(.tokens([1, 2, 3]), top: 2, chunk: 5)
            #expect(scored.ids == [1, 2, 3])
            #expect(scored.nextLogProbabilities == [-0.25, -0.5])
            #expect(scored.topTokens == [[65, 66], [65, 66], [65, 66]])
            #expect(scored.perplexity == exp(0.375))
            #expect(try await client.score(.text("ab"), top: 0, chunk: 5).ids == [97, 98])
        }
    }

    @Test func `a chat is streamed with its summary`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260, 0xC3, 0xA9, 261, ByteCodec.end]) }
        try await TestServer(engine).listening { port in
            var options = ChatOptions()
            options.seed = 3
            options.temperature = 0.5
            options.maximumTokenCount = 20
            var texts: [String] = []
            var summary: ChatSummary?
            let messages = [ChatMessage(role: "user", content: "Hi")]
            for try await event in try client(port).chatStream(messages, options: options) {
                switch event {
                case .text(let text): texts.append(text)
                case .finished(let end): summary = end
                }
            }
            #expect(texts == ["Hello", "é", " world"])
            #expect(summary?.finishReason == "stop")
            #expect(summary?.completionTokenCount == 5)
            #expect(engine.requests[0].sampling.seed == 3)
            #expect(engine.requests[0].maximumTokenCount == 20)
        }
    }

    @Test func `leaving a chat stream gives up the generation`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260], ending: .hang) }
        try await TestServer(engine).listening { port in
            for try await event in try client(port).chatStream([ChatMessage(role: "user", content: "Hi")]) {
                #expect(event == .text("Hello"))
                break
            }
            #expect(await engine.nextCancellation() == engine.requests[0].id)
        }
    }

    @Test func `errors of the coordinator are passed on, before and within a stream`() async throws {
        for (tokens, status) in [([Int32](), 503), ([260], 500)] {
            let failure = GenerationError.workerFailed(node: "box-2", reason: "gone")
            let engine = ScriptedEngine { _ in .init(tokens: tokens, ending: .failure(failure)) }
            try await TestServer(engine).listening { port in
                let stream = try client(port).chatStream([ChatMessage(role: "user", content: "Hi")])
                let error = await #expect(throws: ClusterClientError.self) { for try await _ in stream {} }
                guard case .refused(_, status, "worker_failed", "worker box-2 failed: gone") = error else {
                    return #expect(Bool(false), "\(String(describing: error))")
                }
            }
        }
    }

    @Test func `nobody there is said so, with the address`() async throws {
        // A port that was free a moment ago.
        let port = try await TestServer(ScriptedEngine(saying: "x")).listening { $0 }
        let error = await #expect(throws: ClusterClientError.self) { try await client(port).health() }
        #expect(
            error?.description
                == "http://127.0.0.1:\(port)/v1/ryz/health: connection refused; is ryz-coord running there?")
    }

    @Test func `a coordinator that does not answer is given up`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [], ending: .hang) }
        try await TestServer(engine).listening { port in
            let stream = try client(port, read: .milliseconds(50)).chatStream([ChatMessage(role: "user", content: "Hi")]
            )
            let error = await #expect(throws: ClusterClientError.self) { for try await _ in stream {} }
            guard case .timedOut = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
    }

    @Test func `an answer that breaks off or is no HTTP is no success`() async throws {
        for reply in [
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "SSH-2.0-OpenSSH\r\n", "", "HTTP/1.1 200 OK\r\n\r\n{}",
        ] {
            let listener = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .bind(host: "127.0.0.1", port: 0) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            try await listener.executeThenClose { connections in
                async let outcome: ClusterHealth = try client(listener.channel.localAddress!.port!).health()
                for try await connection in connections {
                    try await connection.executeThenClose { inbound, outbound in
                        var iterator = inbound.makeAsyncIterator()
                        _ = try await iterator.next()
                        try await outbound.write(ByteBuffer(string: reply))
                    }
                    break
                }
                do {
                    _ = try await outcome
                    Issue.record("'\(reply)' was taken for a health report")
                } catch is ClusterClientError {}
            }
        }
    }

    @Test(arguments: [
        ("localhost", "http://localhost:8080"), ("10.0.0.1:99", "http://10.0.0.1:99"),
        ("http://a.b:1/", "http://a.b:1"),
        ("http://[::1]:80", "http://[::1]:80"),
    ])
    func `addresses are read in short and in full`(text: String, full: String) throws {
        #expect(try CoordinatorAddress(text).description == full)
    }

    @Test(arguments: ["", "https://a", "http://", "http://a/v1", "a:99999", "http://a b"])
    func `addresses that cannot be used are refused`(text: String) {
        #expect(throws: ClusterClientError.self) { try CoordinatorAddress(text) }
    }

    @Test func `events are split whatever the line ends and pieces are`() throws {
        let text = ": hello\n\ndata: a\r\n\r\ndata:b\rdata: c\r\revent: x\ndata: é\n\n"
        for length in 1...text.utf8.count {
            var events = ServerSentEvents()
            var found: [String] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                found += try events.append(rest.prefix(length)).map { String(decoding: $0, as: UTF8.self) }
                rest = rest.dropFirst(length)
            }
            #expect(found == ["a", "b\nc", "é"])
        }
    }
}
