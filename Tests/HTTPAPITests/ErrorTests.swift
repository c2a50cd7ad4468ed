import Checkpoints
import ClusterCore
import Foundation
import TestSupport
import Testing
import Tokenization

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct ErrorTests {
    static let chat = "/v1/chat/completions"
    static let valid = #"{"messages":[{"role":"user","content":"x"}]}"#

    /// Whether the answer is an error in OpenAI's shape.
    static func isError(_ answer: Answer) throws -> Bool {
        let error = try answer.json.error
        return answer.headers["content-type"] == "application/json" && error.message.string?.isEmpty == false
            && error.type.string != nil && !error.param.isAbsent && !error.code.isAbsent
    }

    @Test func `a model whose chat template cannot be understood refuses chats with the reason, and only those`() throws
    {
        for (template, problem) in [("{% if %}", "cannot be understood"), (nil, "has no chat template")] {
            var tiny = TinyLlama()
            tiny.chatTemplate = template
            try tiny.builder().withFile { path in
                let model = try ModelFile(path: path)
                let codec = ModelTextCodec(model: model, tokenizer: try Tokenizer(model: model))
                #expect((codec.templateProblem != nil) == (template != nil))
                #expect(
                    codec.encode("hi", parsesSpecialTokens: false, addsBeginningOfSequence: false).isEmpty == false)
                let failure = #expect(throws: ChatTemplateFailure.self) {
                    try codec.renderChat(
                        messages: #"[{"role":"user","content":"x"}]"#, tools: nil, arguments: nil,
                        addsGenerationPrompt: true)
                }
                let answer = ErrorAnswer(APIError.chatTemplate(try #require(failure)))
                #expect(answer.status == .badRequest)
                #expect(answer.code == "no_chat_template")
                #expect(answer.message.contains(problem) && answer.message.contains("/v1/completions"))
            }
        }
    }

    @Test func `half of a surrogate pair in a message is rendered as a replacement character`() throws {
        var tiny = TinyLlama()
        tiny.chatTemplate = "{{ messages[0].content }}"
        try tiny.builder().withFile { path in
            let model = try ModelFile(path: path)
            let codec = ModelTextCodec(model: model, tokenizer: try Tokenizer(model: model))
            let text = try codec.renderChat(
                messages: #"[{"role":"user","content":"a\ud800b"}]"#, tools: nil, arguments: nil,
                addsGenerationPrompt: false)
            #expect(text == "a\u{FFFD}b")
        }
    }

    @Test func `bodies over all connections are bounded, and what was read is given back`() async throws {
        var limits = HTTPLimits()
        limits.totalBodyByteCount = 100
        let server = TestServer(ScriptedEngine(saying: "x"), limits: limits)
        try await server.serve(over: .socket) { send in
            // More than once: a body that is done makes room.
            for _ in 0..<5 { #expect(try await send("POST", Self.chat, Self.valid).status == 200) }
            let long = String(repeating: " ", count: 101)
            let answer = try await send("POST", Self.chat, Self.valid + long)
            #expect(answer.status == 503)
            #expect(try Self.isError(answer))
            #expect(try answer.json.error.code.string == "overloaded")
            #expect(answer.headers["retry-after"] == "1")
            #expect(try await send("POST", Self.chat, Self.valid).status == 200)
        }
        #expect(server.server.api.bodies.takenByteCount == 0)
    }

    @Test(arguments: Carrier.allCases)
    func `every failure of the engine has its status, code and shape`(carrier: Carrier) async throws {
        let cases: [(GenerationError, Int, String, retryAfter: String?)] = [
            (.queueFull(limit: 8, retryAfterSeconds: 3), 429, "queue_full", "3"),
            (
                .contextExceeded(promptTokenCount: 9, maximumTokenCount: 8, contextLength: 7), 400,
                "context_length_exceeded", nil
            ),
            (.invalidRequest("token 900 is outside the vocabulary"), 400, "invalid_value", nil),
            (.unavailable("waiting for 2 of 3 workers"), 503, "unavailable", "2"),
            (.workerFailed(node: "a", reason: "gone"), 503, "worker_failed", nil),
            (.lostTooOften(count: 9, reason: "gone"), 503, "lost_too_often", nil),
        ]
        for (error, status, code, retryAfter) in cases {
            let engine = ScriptedEngine { _ in .init(tokens: [], refusal: error) }
            let answer = try await TestServer(engine).serve(over: carrier) {
                try await $0("POST", Self.chat, Self.valid)
            }
            #expect(answer.status == status)
            #expect(try Self.isError(answer))
            #expect(try answer.json.error.code.string == code)
            #expect(try answer.json.error.message.string == error.description)
            #expect(answer.headers["retry-after"] == retryAfter)
        }
    }

    @Test(arguments: Carrier.allCases)
    func `routes, methods and models that do not exist are named`(carrier: Carrier) async throws {
        let cases = [
            ("GET", "/v1/nothing", "", 404, "not_found"), ("GET", Self.chat, "", 405, "method_not_allowed"),
            ("DELETE", "/v1/models", "", 405, "method_not_allowed"),
            ("POST", "/healthz", "", 405, "method_not_allowed"),
            ("GET", "/v1/models/other", "", 404, "model_not_found"),
            ("POST", Self.chat, #"{"model":"gpt-4","messages":[]}"#, 404, "model_not_found"),
        ]
        try await TestServer(ScriptedEngine(saying: "x")).serve(over: carrier) { send in
            for (method, path, body, status, code) in cases {
                let answer = try await send(method, path, body)
                #expect(answer.status == status, "\(method) \(path)")
                #expect(try Self.isError(answer))
                #expect(try answer.json.error.code.string == code)
            }
            #expect(try await send("GET", Self.chat, "").headers["allow"] == "POST")
        }
    }

    @Test func `malformed JSON is answered with its position`() async throws {
        let answer = try await TestServer(ScriptedEngine(saying: "x")).serve(over: .inProcess) {
            try await $0("POST", Self.chat, "{\n  \"messages\": [tru]}")
        }
        #expect(answer.status == 400)
        #expect(
            try answer.json.error.message.string
                == "the body is not valid JSON: line 2, column 16 (byte 17): no value begins like this")
    }

    @Test func `a request beyond the context is refused with both numbers`() async throws {
        let engine = ScriptedEngine(saying: "x")
        let tokens = Array(repeating: "1", count: 500).joined(separator: ",")
        let answer = try await TestServer(engine).serve(over: .inProcess) {
            try await $0("POST", "/v1/completions", #"{"prompt":[\#(tokens)],"max_tokens":13}"#)
        }
        #expect(answer.status == 400)
        #expect(try answer.json.error.code.string == "context_length_exceeded")
        let message = try #require(try answer.json.error.message.string)
        #expect(message.contains("500") && message.contains("13") && message.contains("512"))
        #expect(engine.requests.isEmpty)
    }

    @Test func `a refusal of the chat template is passed on`() async throws {
        let answer = try await TestServer(ScriptedEngine(saying: "x")).serve(over: .inProcess) {
            try await $0("POST", Self.chat, #"{"messages":[{"role":"user","content":"REFUSE"}]}"#)
        }
        #expect(answer.status == 400)
        #expect(try answer.json.error.message.string?.hasSuffix("roles must alternate") == true)
        #expect(try answer.json.error.param.string == "messages")
    }

    @Test(arguments: [
        ("temperature", #""hot""#), ("temperature", "-0.1"), ("temperature", "1e999"), ("top_p", "0"),
        ("top_p", "1e-300"),
        ("top_p", "1.01"), ("top_k", "-2"), ("top_k", "1.5"), ("min_p", "2"), ("repetition_penalty", "0"),
        ("frequency_penalty", "3"), ("presence_penalty", "true"), ("n", "0"), ("n", "17"), ("n", "[]"), ("seed", "0.5"),
        ("seed", "18446744073709551616"), ("max_tokens", "0"), ("max_tokens", "-5"), ("max_completion_tokens", #""5""#),
        ("stop", "5"), ("stop", #"[""]"#), ("stop", #"["a","b","c","d","e"]"#), ("stop", "[1]"),
        ("stop_token_ids", "[300]"), ("stop_token_ids", "7"), ("logit_bias", #"{"x":1}"#),
        ("logit_bias", #"{"300":1}"#),
        ("logit_bias.1", #"{"1":101}"#), ("logprobs", "1"), ("top_logprobs", "21"), ("top_logprobs", "2"),
        ("stream", #""yes""#), ("stream_options", #"{"include_usage":true}"#), ("ignore_eos", "1"), ("min_tokens", "3"),
        ("response_format", #"{"type":"json_object"}"#), ("response_format.type", "{}"), ("tools", "{}"),
        ("tools[0]", "[1]"),
        ("tool_choice", #""required""#), ("chat_template_kwargs", "[]"), ("model", "5"), ("messages", "[]"),
        ("messages", #""hi""#), ("messages[0]", "[1]"), ("messages[0].role", "[{}]"),
        ("messages[0].role", #"[{"role":1}]"#),
        ("messages[0].content", #"[{"role":"user"}]"#), ("messages[0].content", #"[{"role":"user","content":{}}]"#),
        ("messages[0].content[0]", #"[{"role":"user","content":[{"type":"image_url"}]}]"#),
        ("messages[0].content[0].text", #"[{"role":"user","content":[{"type":"text"}]}]"#),
    ])
    func `a field with a wrong value is refused by name`(parameter: String, value: String) async throws {
        let engine = ScriptedEngine(saying: "x")
        let field = parameter.prefix { $0 != "." && $0 != "[" }
        // The key that stands last counts.
        let body = String(Self.valid.dropLast()) + #","\#(field)":\#(value)}"#
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("POST", Self.chat, body) }
        #expect(answer.status == 400)
        #expect(try Self.isError(answer))
        #expect(try answer.json.error.param.string == parameter)
        #expect(try answer.json.error.message.string?.contains(parameter) == true)
        #expect(engine.requests.isEmpty)
    }

    @Test(arguments: [
        ("prompt", "5"), ("prompt", "[]"), ("prompt", "[[]]"), ("prompt", "[true]"), ("prompt", "[1,\"a\"]"),
        ("prompt", "[-1]"),
        ("prompt[1]", "[[1],[300]]"), ("echo", "0"), ("suffix", #""end""#), ("best_of", "2"), ("logprobs", "true"),
        ("logprobs", "21"), ("max_tokens", "0"),
    ])
    func `a wrong field of a completion is refused by name`(parameter: String, value: String) async throws {
        let engine = ScriptedEngine(saying: "x")
        let field = parameter.prefix { $0 != "[" }
        let answer = try await TestServer(engine).serve(over: .inProcess) {
            try await $0("POST", "/v1/completions", #"{"prompt":"x","\#(field)":\#(value)}"#)
        }
        #expect(answer.status == 400)
        #expect(try answer.json.error.param.string == parameter)
        #expect(engine.requests.isEmpty)
    }
}
