import ClusterCore
import Foundation
import Testing

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct StreamingTests {
    static let path = "/v1/chat/completions"
    static let messages = #""messages":[{"role":"user","content":"x"}]"#

    @Test(arguments: Carrier.allCases)
    func `a streamed chat begins with the role, ends with the reason, the usage and DONE`(carrier: Carrier) async throws
    {
        let engine = ScriptedEngine { _ in .init(tokens: [260, 0xC3, 0xA9, 261, ByteCodec.end]) }
        let body = #"{\#(Self.messages),"stream":true,"stream_options":{"include_usage":true}}"#
        let answer = try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "text/event-stream; charset=utf-8")
        #expect(answer.events.last == "[DONE]")
        let chunks = try answer.chunks
        #expect(chunks.allSatisfy { $0.object.string == "chat.completion.chunk" })
        #expect(Set(chunks.compactMap { $0.id.string }).count == 1)
        #expect(chunks[0].choices[0].delta.role.string == "assistant")
        #expect(chunks.compactMap { $0.choices[0].delta.content.string } == ["", "Hello", "é", " world"])
        let last = chunks[chunks.count - 2]
        #expect(last.choices[0].finish_reason.string == "stop")
        #expect(last.choices[0].delta.content.isAbsent)
        #expect(chunks.dropLast(2).allSatisfy { $0.choices[0].finish_reason.isNull && $0.usage.isAbsent })
        let usage = chunks[chunks.count - 1]
        #expect(usage.choices.array.isEmpty)
        #expect(usage.usage.completion_tokens.int == 5)
    }

    @Test func `without include_usage the stream says nothing of usage`() async throws {
        let engine = ScriptedEngine(saying: "ab")
        let body = #"{\#(Self.messages),"stream":true}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        #expect(try answer.chunks.allSatisfy { $0.usage.isAbsent && $0.choices.array.count == 1 })
    }

    @Test func `a streamed answer is the whole answer in pieces`() async throws {
        // Every way to cut the text into tokens, with stop strings that overlap it in part.
        for tokens: [Int32] in [[260, 261, 262, 263], "Hello world!\n\n\nUser".utf8.map(Int32.init)] {
            for stop in [#"["!\n\n\nUser"]"#, #"["\n\nx","d!"]"#, #"["no such"]"#, #"["H"]"#] {
                let engine = ScriptedEngine { _ in .init(tokens: tokens + [ByteCodec.end]) }
                let fields = #"{\#(Self.messages),"logprobs":true,"top_logprobs":1,"stop":\#(stop)"#
                let server = TestServer(engine)
                let (whole, streamed) = try await server.serve(over: .inProcess) { send in
                    (
                        try await send("POST", Self.path, fields + "}"),
                        try await send("POST", Self.path, fields + #","stream":true}"#)
                    )
                }
                let choice = try whole.json.choices[0]
                let deltas = try streamed.chunks.map { $0.choices[0] }
                #expect(deltas.compactMap { $0.delta.content.string }.joined() == choice.message.content.string)
                #expect(deltas.compactMap { $0.finish_reason.string } == [choice.finish_reason.string])
                let reported = deltas.flatMap { $0.logprobs.content.array.map { $0.logprob.double } }
                #expect(reported == choice.logprobs.content.array.map { $0.logprob.double })
            }
        }
    }

    @Test func `text that may begin a stop string is held back until that is decided`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: "a<b<<".utf8.map(Int32.init) + [ByteCodec.end]) }
        let body = #"{\#(Self.messages),"stream":true,"stop":"<<<"}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        #expect(try answer.chunks.compactMap { $0.choices[0].delta.content.string } == ["", "a", "<b", "<<"])
    }

    @Test func `choices are streamed side by side, each with its role and its end`() async throws {
        let engine = ScriptedEngine { request in
            .init(tokens: "s\(request.sampling.seed)".utf8.map(Int32.init) + [ByteCodec.end])
        }
        let body = #"{\#(Self.messages),"stream":true,"n":3,"seed":4}"#
        let answer = try await TestServer(engine).serve(over: .socket) { try await $0("POST", Self.path, body) }
        let choices = try answer.chunks.map { $0.choices[0] }
        for index in 0..<3 {
            let own = choices.filter { $0.index.int == index }
            #expect(own.compactMap { $0.delta.role.string } == ["assistant"])
            #expect(own.compactMap { $0.delta.content.string }.joined() == "s\(4 + index)")
            #expect(own.compactMap { $0.finish_reason.string } == ["stop"])
        }
    }

    @Test func `a stop string ends its own choice at once and leaves the others running`() async throws {
        let engine = ScriptedEngine { request in
            request.sampling.seed == 0
                ? .init(tokens: "stop here".utf8.map(Int32.init), ending: .hang)
                : .init(tokens: "go on".utf8.map(Int32.init) + [ByteCodec.end])
        }
        let body = #"{\#(Self.messages),"stream":true,"n":2,"seed":0,"stop":" here"}"#
        let answer = try await TestServer(engine).serve(over: .socket) { try await $0("POST", Self.path, body) }
        let choices = try answer.chunks.map { $0.choices[0] }
        #expect(choices.filter { $0.index.int == 0 }.compactMap { $0.delta.content.string }.joined() == "stop")
        #expect(choices.filter { $0.index.int == 1 }.compactMap { $0.delta.content.string }.joined() == "go on")
        #expect(await engine.nextCancellation() == engine.requests[0].id)
    }

    @Test(arguments: Carrier.allCases)
    func `a failure before the first token has its own status, streaming or not`(carrier: Carrier) async throws {
        let engine = ScriptedEngine { _ in
            .init(tokens: [], ending: .failure(.workerFailed(node: "box-2", reason: "connection lost")))
        }
        for stream in ["true", "false"] {
            let body = #"{\#(Self.messages),"stream":\#(stream)}"#
            let answer = try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
            #expect(answer.status == 503)
            #expect(try answer.json.error.code.string == "worker_failed")
            #expect(try answer.json.error.message.string == "worker box-2 failed: connection lost")
        }
    }

    @Test(arguments: Carrier.allCases)
    func `a failure in the middle of a stream is an error event after what has been said`(carrier: Carrier) async throws
    {
        let engine = ScriptedEngine { _ in
            .init(tokens: [260], ending: .failure(.lostTooOften(count: 9, reason: "worker box-2: silent for 2.0 s")))
        }
        let body = #"{\#(Self.messages),"stream":true,"stop":"lo there"}"#
        let answer = try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
        #expect(answer.status == 200)
        let chunks = try answer.chunks
        #expect(chunks.compactMap { $0.choices[0].delta.content.string }.joined() == "Hel")
        #expect(chunks.last?.error.code.string == "lost_too_often")
        #expect(
            chunks.last?.error.message.string
                == "the request was lost 9 times and is not begun anew once more, as it may itself be what breaks the "
                + "workers; see their logs. The last time: worker box-2: silent for 2.0 s")
        #expect(answer.events.last == "[DONE]")
    }

    @Test func `a stream without news carries comments`() async throws {
        var limits = HTTPLimits()
        limits.keepAliveInterval = .milliseconds(20)
        limits.shutdownGrace = .milliseconds(300)
        let engine = ScriptedEngine { _ in .init(tokens: [260], ending: .hang) }
        let server = TestServer(engine, limits: limits)
        let text = try await server.listening { port in
            try await Wire.connected(port: port) { inbound, outbound in
                let body = Array(#"{\#(Self.messages),"stream":true}"#.utf8)
                try await outbound.write(.init(bytes: Wire.request("POST", Self.path, body)))
                var received: [UInt8] = []
                for try await part in inbound {
                    received.append(contentsOf: part.readableBytesView)
                    if String(decoding: received, as: UTF8.self).contains(": keep-alive") { break }
                }
                return String(decoding: received, as: UTF8.self)
            }
        }
        #expect(text.contains("Hello"))
        #expect(text.contains(": keep-alive\n\n"))
    }

    @Test func `the header goes out before the first token when that takes long`() async throws {
        var limits = HTTPLimits()
        limits.keepAliveInterval = .milliseconds(20)
        let engine = ScriptedEngine { _ in .init(tokens: [], ending: .hang) }
        let server = TestServer(engine, limits: limits)
        let text = try await server.listening { port in
            try await Wire.connected(port: port) { inbound, outbound in
                let body = Array(#"{\#(Self.messages),"stream":true}"#.utf8)
                try await outbound.write(.init(bytes: Wire.request("POST", Self.path, body)))
                var received: [UInt8] = []
                for try await part in inbound {
                    received.append(contentsOf: part.readableBytesView)
                    if String(decoding: received, as: UTF8.self).contains(": keep-alive") { break }
                }
                return String(decoding: received, as: UTF8.self)
            }
        }
        #expect(text.hasPrefix("HTTP/1.1 200 OK"))
        #expect(await engine.nextCancellation() == engine.requests[0].id)
    }
}
