import Testing

@testable import HTTPAPI

/// What answers say of the tokens that were not computed.
@Suite(.timeLimit(.minutes(10)))
struct CachedTokensTests {
    private static let messages = #""messages":[{"role":"user","content":"Hello"}]"#

    private static func engine(reusing counts: Int...) -> ScriptedEngine {
        ScriptedEngine { request in
            let choice = request.id.split(separator: "-").last.flatMap { Int($0) } ?? 0
            return .init(tokens: [65, ByteCodec.end], reusedTokenCount: counts[choice % counts.count])
        }
    }

    private func usage(_ engine: ScriptedEngine, _ path: String, _ body: String) async throws -> Answer {
        try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", path, body) }
    }

    @Test func `an answer in one piece says how many tokens of its prompt were at hand`() async throws {
        let reused = try await usage(Self.engine(reusing: 7), "/v1/chat/completions", "{\(Self.messages)}").json
        #expect(reused.choices[0].message.content.string == "A")
        #expect(reused.usage.prompt_tokens_details.cached_tokens.int == 7)
        let none = try await usage(Self.engine(reusing: 0), "/v1/chat/completions", "{\(Self.messages)}").json
        #expect(none.usage.prompt_tokens_details.cached_tokens.int == 0)
    }

    @Test func `so does the last event of a streamed one`() async throws {
        let body = #"{\#(Self.messages),"stream":true,"stream_options":{"include_usage":true}}"#
        let chunks = try await usage(Self.engine(reusing: 7), "/v1/chat/completions", body).chunks
        #expect(chunks.last?.usage.prompt_tokens_details.cached_tokens.int == 7)
        #expect(chunks.compactMap { $0.choices[0].delta.content.string } == ["", "A"])
    }

    @Test func `each prompt counts once, however many choices it has`() async throws {
        let body = #"{"prompt":["aaaaaaaa","bbbbbbbb"],"n":2}"#
        let json = try await usage(Self.engine(reusing: 3, 5, 0, 2), "/v1/completions", body).json
        #expect(json.choices.array.count == 4)
        #expect(json.usage.prompt_tokens_details.cached_tokens.int == 7)
    }
}
