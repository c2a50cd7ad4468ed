import TestSupport
import Foundation
import Testing

@testable import HTTPAPI

/// Bodies that no client should send, from a fixed seed.
@Suite(.timeLimit(.minutes(2)))
struct FuzzTests {
    private static let seeds = [
        #"{"model":"lab/byte-model","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9"}]}],"n":2,"#
            + #""stop":["x","y"],"logit_bias":{"5":1.5},"seed":7,"temperature":0.5,"tools":[{"type":"function"}]}"#,
        #"{"prompt":[[1,2],[3]],"echo":true,"logprobs":2,"max_tokens":4,"top_p":0.9,"stream":true}"#,
        #"{"ids":[1,2,3],"top":2,"chunk":1}"#, #"{"text":"abc"}"#,
    ]
    private static let tokens = [
        "{", "}", "[", "]", ",", ":", "\"", "\\u", "\\", "null", "true", "-", "1e999", "1e-999", "99999999999999999999",
        "NaN",
        "\u{0}", "é", "\"messages\"", "\"prompt\"", "[[[[", "0", "-1", "{}", "\"\"",
    ]
    private static let paths = ["/v1/chat/completions", "/v1/completions", "/v1/ryz/score", "/v1/ryz/tokenize"]

    private static func mutated(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = Array(seeds.randomElement(using: &random)!.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes = Array(bytes[..<place])
            case 1 where place < bytes.count: bytes[place] = .random(in: .min ... .max, using: &random)
            case 2: bytes.insert(contentsOf: tokens.randomElement(using: &random)!.utf8, at: place)
            case 3:
                let end = Int.random(in: place...bytes.count, using: &random)
                bytes.replaceSubrange(place..<end, with: tokens.randomElement(using: &random)!.utf8)
            default:
                let end = min(bytes.count, place + 20)
                bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
            }
        }
        return bytes
    }

    @Test func `mutated bodies are answered, or refused in OpenAI's shape`() async throws {
        var random = SeededGenerator(seed: 1)
        let server = TestServer(ScriptedEngine(saying: "ok"))
        let responder = server.server.api.router().buildResponder()
        var refusedCount = 0
        for _ in 0..<4000 {
            let body = Self.mutated(&random)
            let path = Self.paths.randomElement(using: &random)!
            let answer = try await TestServer.answer(of: responder, "POST", path, body)
            let shown = String(decoding: body, as: UTF8.self)
            if answer.status != 200 {
                refusedCount += 1
                #expect((400..<500).contains(answer.status), "\(path) \(shown): \(answer.text)")
                #expect(try ErrorTests.isError(answer), "\(path) \(shown): \(answer.text)")
            }
        }
        #expect(refusedCount > 1000)
    }

    @Test func `random bytes are refused in OpenAI's shape over a socket too`() async throws {
        var random = SeededGenerator(seed: 2)
        try await TestServer(ScriptedEngine(saying: "ok")).listening { port in
            for _ in 0..<60 {
                let body = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                    UInt8.random(in: .min ... .max, using: &random)
                }
                let path = Self.paths.randomElement(using: &random)!
                let answer = try await Wire.exchange(port: port, Wire.request("POST", path, body))
                #expect(answer.status == 400)
                #expect(try ErrorTests.isError(answer))
            }
        }
    }
}
