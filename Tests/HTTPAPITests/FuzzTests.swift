import Foundation
import Fuzzing
import TestSupport
import Testing

@testable import HTTPAPI

/// Bodies that no client should send, from a fixed seed.
@Suite(.timeLimit(.minutes(10)))
struct FuzzTests {
    @Test func `mutated bodies are answered, or refused in OpenAI's shape`() async throws {
        var random = SeededGenerator(seed: 1)
        var requests = HostileRequests(seed: 1)
        let server = TestServer(ScriptedEngine(saying: "ok"))
        let responder = server.server.api.router().buildResponder()
        var refusedCount = 0
        for _ in 0..<4000 {
            let body = requests.body()
            let path = HostileRequests.paths.randomElement(using: &random)!
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
                let path = HostileRequests.paths.randomElement(using: &random)!
                let answer = try await Wire.exchange(port: port, Wire.request("POST", path, body))
                #expect(answer.status == 400)
                #expect(try ErrorTests.isError(answer))
            }
        }
    }
}
