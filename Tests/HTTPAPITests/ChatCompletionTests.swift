import ClusterCore
import Foundation
import Testing
import Transport

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct ChatCompletionTests {
    static let path = "/v1/chat/completions"

    @Test(arguments: Carrier.allCases)
    func `a chat request is answered with the text, the finish reason and the usage`(carrier: Carrier) async throws {
        let engine = ScriptedEngine(saying: "Hi there")
        let body = #"{"model":"lab/byte-model","messages":[{"role":"user","content":"Hello"}]}"#
        let answer = try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        let json = try answer.json
        #expect(json.object.string == "chat.completion")
        #expect(json.model.string == "lab/byte-model")
        #expect(json.id.string?.hasPrefix("chatcmpl-") == true)
        #expect(answer.headers["x-request-id"] == json.id.string)
        #expect(json.choices.array.count == 1)
        #expect(json.choices[0].message.role.string == "assistant")
        #expect(json.choices[0].message.content.string == "Hi there")
        #expect(json.choices[0].finish_reason.string == "stop")
        #expect(json.choices[0].logprobs.isNull)
        let prompt = #"<|begin|>[{"role":"user","content":"Hello"}]|assistant:"#
        let promptCount = prompt.utf8.count - "<|begin|>".utf8.count + 1
        #expect(json.usage.prompt_tokens.int == promptCount)
        #expect(json.usage.completion_tokens.int == 9)
        #expect(json.usage.total_tokens.int == promptCount + 9)
        #expect(engine.requests.count == 1)
        #expect(engine.requests[0].promptTokens.first == ByteCodec.begin)
        #expect(engine.requests[0].maximumTokenCount == 512 - promptCount)
        #expect(engine.requests[0].stopTokens == [ByteCodec.end])
    }

    @Test func `messages and tools reach the template with their keys in the order of the client`() async throws {
        let engine = ScriptedEngine(saying: "ok")
        let messages = #"[{"role":"user","zeta":1,"alpha":{"y":2,"b":3},"content":"x"}]"#
        let tools = #"[{"type":"function","function":{"name":"f","parameters":{"z":1,"a":2.50}}}]"#
        let body = #"{"tools": \#(tools), "messages": \#(messages), "chat_template_kwargs": {"q":1,"c":2}}"#
        _ = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let prompt = engine.requests[0].promptTokens.dropFirst().map { UInt8($0) }
        #expect(
            String(decoding: prompt, as: UTF8.self) == messages + "|tools:" + tools + #"|with:{"q":1,"c":2}|assistant:"#
        )
    }

    @Test func `content in parts becomes one string and arguments of tool calls an object`() async throws {
        let engine = ScriptedEngine(saying: "ok")
        let body = #"""
            {"messages":[{"role":"user","content":[{"type":"text","text":"a\"b"},{"type":"text","text":"é"}],"x":1},
            {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"z\": 1, \"a\": [2]}"}}]}]}
            """#
        _ = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let prompt = String(decoding: engine.requests[0].promptTokens.dropFirst().map { UInt8($0) }, as: UTF8.self)
        #expect(prompt.contains(#"{"role":"user","content":"a\"b\né","x":1}"#))
        #expect(prompt.contains(#"{"function":{"name":"f","arguments":{"z": 1, "a": [2]}}}"#))
    }

    @Test func `tools are left out when the client forbids them`() async throws {
        let engine = ScriptedEngine(saying: "ok")
        let body = #"{"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function"}],"tool_choice":"none"}"#
        _ = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let prompt = String(decoding: engine.requests[0].promptTokens.dropFirst().map { UInt8($0) }, as: UTF8.self)
        #expect(!prompt.contains("|tools:"))
    }

    @Test func `every sampling parameter reaches the engine`() async throws {
        let engine = ScriptedEngine(saying: "ok")
        let body = #"""
            {"messages":[{"role":"user","content":"x"}],"temperature":0.5,"top_p":0.25,"top_k":40,"min_p":0.125,
             "repetition_penalty":1.5,"frequency_penalty":-0.5,"presence_penalty":2,"logit_bias":{"12":-100,"3":0.5},
             "seed":-1,"max_tokens":7,"logprobs":true,"top_logprobs":3,"stop_token_ids":[65,257],"unknown":{"a":1}}
            """#
        _ = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let request = engine.requests[0]
        #expect(
            request.sampling
                == SamplingParameters(
                    temperature: 0.5, topK: 40, topP: 0.25, minP: 0.125, repetitionPenalty: 1.5, frequencyPenalty: -0.5,
                    presencePenalty: 2,
                    logitBias: [LogitBias(token: 3, bias: 0.5), LogitBias(token: 12, bias: -100)], seed: .max,
                    topLogProbabilityCount: 3))
        #expect(request.maximumTokenCount == 7)
        #expect(request.stopTokens == [257, 65])
    }

    @Test func `several choices run with seeds that follow each other`() async throws {
        let engine = ScriptedEngine { request in
            .init(tokens: "seed \(request.sampling.seed)".utf8.map(Int32.init) + [ByteCodec.end])
        }
        let body = #"{"messages":[{"role":"user","content":"x"}],"n":3,"seed":18446744073709551615}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let choices = try answer.json.choices.array
        #expect(choices.map { $0.index.int } == [0, 1, 2])
        #expect(choices.map { $0.message.content.string } == ["seed 18446744073709551615", "seed 0", "seed 1"])
        #expect(try answer.json.usage.completion_tokens.int == 26 + 7 + 7)
    }

    @Test func `more choices than the queue has room for run one after the other`() async throws {
        let engine = ScriptedEngine(slotCount: 2) { _ in .init(tokens: "ok".utf8.map(Int32.init) + [ByteCodec.end]) }
        let body = #"{"messages":[{"role":"user","content":"x"}],"n":8}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        #expect(answer.status == 200)
        #expect(try answer.json.choices.array.map { $0.message.content.string } == Array(repeating: "ok", count: 8))
        #expect(engine.mostRunning <= 2)
    }

    @Test func `log-probabilities name every token with its bytes and alternatives`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260, 0xC3, 0xA9, ByteCodec.end]) }
        let body = #"{"messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":2}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        let choice = try answer.json.choices[0]
        #expect(choice.message.content.string == "Helloé")
        let entries = choice.logprobs.content.array
        #expect(entries.map { $0.token.string } == ["Hello", "\u{FFFD}", "\u{FFFD}"])
        #expect(entries.map { $0.bytes.ints } == [Array("Hello".utf8).map(Int.init), [0xC3], [0xA9]])
        #expect(entries.map { $0.logprob.double } == [-0.125, -0.25, -0.375])
        #expect(entries[0].top_logprobs.array.map { $0.logprob.double } == [-0.125, -1.125])
        #expect(entries[0].top_logprobs[1].token.string == "B")
    }

    @Test func `the token limit ends an answer with its own reason`() async throws {
        let engine = ScriptedEngine(saying: "Hi there")
        let body = #"{"messages":[{"role":"user","content":"x"}],"max_completion_tokens":2}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        #expect(try answer.json.choices[0].finish_reason.string == "length")
        #expect(try answer.json.choices[0].message.content.string == "Hi")
    }

    @Test func `ignore_eos goes on past the end of the turn, which stays out of the text`() async throws {
        let engine = ScriptedEngine { _ in .init(tokens: [260, ByteCodec.end, 261, ByteCodec.pad]) }
        let body = #"{"messages":[{"role":"user","content":"x"}],"ignore_eos":true}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.path, body) }
        #expect(engine.requests[0].stopTokens == [])
        #expect(try answer.json.choices[0].message.content.string == "Hello world")
        #expect(try answer.json.usage.completion_tokens.int == 4)
        let shown = try await TestServer(engine).serve(over: .inProcess) {
            try await $0("POST", Self.path, String(body.dropLast()) + #","skip_special_tokens":false}"#)
        }
        #expect(try shown.json.choices[0].message.content.string == "Hello<|end|> world<|pad|>")
    }

    @Test(arguments: Carrier.allCases)
    func `a stop string that straddles tokens ends the text before it and gives up the generation`(
        carrier: Carrier
    ) async throws {
        // "Hello" " world" "!\n" "\n\nUser"; the stop string begins inside the third token.
        let engine = ScriptedEngine { _ in .init(tokens: [260, 261, 262, 263, 260], ending: .hang) }
        let body = #"{"messages":[{"role":"user","content":"x"}],"stop":["\n\n\nUs","never"]}"#
        let answer = try await TestServer(engine).serve(over: carrier) { try await $0("POST", Self.path, body) }
        #expect(try answer.json.choices[0].message.content.string == "Hello world!")
        #expect(try answer.json.choices[0].finish_reason.string == "stop")
        #expect(try answer.json.usage.completion_tokens.int == 4)
        #expect(await engine.nextCancellation() == engine.requests[0].id)
    }
}
