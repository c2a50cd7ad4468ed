import ClusterCore
import Foundation
import Testing

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct CompletionTests {
    static let path = "/v1/completions"

    private func complete(_ engine: ScriptedEngine, _ body: String, over carrier: Carrier = .inProcess) async throws
        -> Answer
    {
        try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
    }

    @Test(arguments: Carrier.allCases)
    func `a prompt is continued`(carrier: Carrier) async throws {
        let engine = ScriptedEngine(saying: " and so on")
        let answer = try await complete(engine, #"{"prompt":"Once<|pad|>","max_tokens":99}"#, over: carrier)
        #expect(answer.status == 200)
        let json = try answer.json
        #expect(json.object.string == "text_completion")
        #expect(json.id.string?.hasPrefix("cmpl-") == true)
        #expect(json.choices[0].text.string == " and so on")
        #expect(json.choices[0].finish_reason.string == "stop")
        #expect(engine.requests[0].promptTokens == [ByteCodec.begin] + "Once".utf8.map(Int32.init) + [ByteCodec.pad])
        #expect(json.usage.prompt_tokens.int == 6)
    }

    @Test func `prompts come as text or tokens, alone or several`() async throws {
        let cases: [(String, [[Int32]])] = [
            (#""ab""#, [[97, 98]]), (#"["ab","c"]"#, [[97, 98], [99]]), ("[1,2.0,3e0]", [[1, 2, 3]]),
            ("[[1,2],[3]]", [[1, 2], [3]]), (#"["a",[7]]"#, [[97], [7]]),
        ]
        for (prompt, expected) in cases {
            let engine = ScriptedEngine(saying: "x")
            let answer = try await complete(engine, #"{"prompt":\#(prompt),"add_special_tokens":false}"#)
            #expect(
                engine.requests.map(\.promptTokens).sorted { $0.lexicographicallyPrecedes($1) }
                    == expected.sorted { $0.lexicographicallyPrecedes($1) })
            #expect(try answer.json.choices.array.count == expected.count)
            #expect(try answer.json.usage.prompt_tokens.int == expected.reduce(0) { $0 + $1.count })
        }
    }

    @Test func `choices of several prompts are numbered prompt by prompt`() async throws {
        let engine = ScriptedEngine { request in
            let text = String(decoding: request.promptTokens.map { UInt8($0) }, as: UTF8.self)
            return .init(tokens: "\(text)\(request.sampling.seed)".utf8.map(Int32.init) + [ByteCodec.end])
        }
        let answer = try await complete(
            engine, #"{"prompt":["a","b"],"n":2,"best_of":2,"seed":5,"add_special_tokens":false}"#)
        #expect(try answer.json.choices.array.map { $0.text.string } == ["a5", "a6", "b5", "b6"])
        #expect(try answer.json.choices.array.map { $0.index.int } == [0, 1, 2, 3])
    }

    @Test func `log-probabilities come as parallel arrays with offsets in code points`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [264, 0xC3, 0xA9, 261, ByteCodec.end]) }
        let answer = try await complete(engine, #"{"prompt":"x","logprobs":2}"#)
        let choice = try answer.json.choices[0]
        #expect(choice.text.string == "hélloé world")
        #expect(choice.logprobs.tokens.strings == ["héllo", #"bytes:\xc3"#, #"bytes:\xa9"#, " world"])
        #expect(choice.logprobs.token_logprobs.array.map { $0.double } == [-0.125, -0.25, -0.375, -0.5])
        #expect(choice.logprobs.text_offset.ints == [0, 5, 5, 6])
        #expect(choice.logprobs.top_logprobs[0]["héllo"].double == -0.125)
        #expect(choice.logprobs.top_logprobs[0]["B"].double == -1.125)
    }

    @Test func `echo puts the prompt before the text, with its own log-probabilities`() async throws {
        let engine = ScriptedEngine(saying: "z")
        let answer = try await complete(
            engine, #"{"prompt":"aé","echo":true,"logprobs":1,"max_tokens":1,"add_special_tokens":false}"#)
        let choice = try answer.json.choices[0]
        #expect(choice.text.string == "aéz")
        #expect(choice.logprobs.tokens.strings == ["a", #"bytes:\xc3"#, #"bytes:\xa9"#, "z"])
        #expect(choice.logprobs.token_logprobs[0].isNull)
        #expect(choice.logprobs.top_logprobs[0].isNull)
        #expect(choice.logprobs.token_logprobs.array.dropFirst().map { $0.double } == [-0.25, -0.5, -0.125])
        #expect(choice.logprobs.text_offset.ints == [0, 1, 1, 2])
        #expect(engine.scoredTexts.count == 1)
        #expect(engine.scoredTexts[0].topCount == 1)
    }

    @Test func `echo without tokens to generate only scores the prompt`() async throws {
        let engine = ScriptedEngine(saying: "z")
        for stream in [false, true] {
            let answer = try await complete(
                engine, #"{"prompt":["ab","c"],"echo":true,"logprobs":0,"max_tokens":0,"stream":\#(stream)}"#)
            #expect(answer.status == 200)
            let choices = stream ? try answer.chunks.map { $0.choices[0] } : try answer.json.choices.array
            #expect(choices.map { $0.text.string } == ["ab", "c"])
            #expect(choices.map { $0.finish_reason.string } == ["length", "length"])
        }
        #expect(engine.requests.isEmpty)
    }

    @Test func `a streamed completion carries text and ends with its reason`() async throws {
        let engine = ScriptedEngine(saying: "ab")
        let answer = try await complete(engine, #"{"prompt":"x","stream":true,"echo":true}"#, over: .socket)
        let chunks = try answer.chunks
        #expect(chunks.map { $0.choices[0].text.string } == ["x", "a", "b", ""])
        #expect(chunks.last?.choices[0].finish_reason.string == "stop")
        #expect(answer.events.last == "[DONE]")
    }
}
