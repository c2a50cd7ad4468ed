import ClusterCore
import Foundation
import Testing

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct OperationsTests {
    @Test(arguments: Carrier.allCases)
    func `the served model is listed and found, slash in its name and all`(carrier: Carrier) async throws {
        try await TestServer(ScriptedEngine(saying: "x")).serve(over: carrier) { send in
            let list = try await send("GET", "/v1/models", "").json
            #expect(list.object.string == "list")
            #expect(list.data[0].id.string == "lab/byte-model")
            #expect(list.data[0].owned_by.string == "tests")
            #expect(list.data[0].max_model_len.int == 512)
            for path in ["/v1/models/lab/byte-model", "/v1/models/lab%2Fbyte-model"] {
                let answer = try await send("GET", path, "")
                #expect(answer.status == 200)
                #expect(try answer.json.created.int == 1_700_000_000)
            }
        }
    }

    @Test(arguments: Carrier.allCases)
    func `healthz tells of the process, readyz of the cluster`(carrier: Carrier) async throws {
        for isReady in [true, false] {
            let engine = ScriptedEngine(isReady: isReady) { _ in .init(tokens: []) }
            try await TestServer(engine).serve(over: carrier) { send in
                #expect(try await send("GET", "/healthz", "").status == 200)
                let ready = try await send("GET", "/readyz", "")
                #expect(ready.status == (isReady ? 200 : 503))
                #expect(try ready.json.reason.string == (isReady ? nil : "waiting for 2 of 3 workers"))
            }
        }
    }

    @Test(arguments: Carrier.allCases)
    func `HEAD is answered like GET, without the body`(carrier: Carrier) async throws {
        try await TestServer(ScriptedEngine(saying: "x")).serve(over: carrier) { send in
            let full = try await send("GET", "/v1/models", "")
            let head = try await send("HEAD", "/v1/models", "")
            #expect(head.status == 200)
            #expect(head.body.isEmpty)
            #expect(head.headers["content-length"] == String(full.body.count))
            #expect(try await send("PUT", "/v1/models", "").headers["allow"] == "GET, HEAD")
        }
    }

    @Test func `the cluster's health is shown as it is`() async throws {
        let engine = ScriptedEngine(saying: "x")
        let answer = try await TestServer(engine).serve(over: .inProcess) { try await $0("GET", "/v1/ryz/health", "") }
        #expect(try JSONDecoder().decode(ClusterHealth.self, from: Data(answer.body)) == (await engine.health()))
        let fields = try #require(try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any])
        let nodes = try #require(fields["nodes"] as? [[String: Any]])
        let keys = fields.keys + nodes.flatMap(\.keys)
        #expect(keys.contains("cluster_id") && keys.allSatisfy { $0 == $0.lowercased() })
    }

    @Test(arguments: Carrier.allCases)
    func `a text is scored with the field names of the reference outputs`(carrier: Carrier) async throws {
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine).serve(over: carrier) { send in
            for input in [#""text":"ab<|end|>""#, #""ids":[97,98,60,124,101,110,100,124,62]"#] {
                let answer = try await send("POST", "/v1/ryz/score", #"{\#(input),"top":2,"chunk":7}"#)
                #expect(answer.status == 200)
                let json = try answer.json
                #expect(json.ids.ints == [97, 98, 60, 124, 101, 110, 100, 124, 62])
                #expect(json.next_logprob.array.map { $0.double } == (1...8).map { -Double($0) / 4 })
                #expect(json.top_ids.array.map { $0.ints } == Array(repeating: [65, 66], count: 9))
                #expect(json.top_logprobs[8].array.map { $0.double } == [-8, -9])
                #expect(json.perplexity.double == exp(1.125))
                #expect(json.logits_sha256.string?.hasPrefix("000102") == true)
                #expect(json.logits_sha256.string?.count == 64)
            }
        }
        #expect(engine.scoredTexts.allSatisfy { $0.topCount == 2 && $0.chunk == 7 })
        #expect(engine.scoredTexts.count == 2)
    }

    @Test(arguments: [
        "{}", #"{"ids":[1],"text":"a"}"#, #"{"ids":[]}"#, #"{"text":""}"#, #"{"ids":[300]}"#, #"{"text":"a","top":65}"#,
        #"{"text":"a","chunk":0}"#, #"{"ids":"a"}"#,
    ])
    func `a score request that makes no sense is refused`(body: String) async throws {
        let engine = ScriptedEngine(saying: "x")
        let answer = try await TestServer(engine).serve(over: .inProcess) {
            try await $0("POST", "/v1/ryz/score", body)
        }
        #expect(answer.status == 400)
        #expect(try ErrorTests.isError(answer))
        #expect(engine.scoredTexts.isEmpty)
    }

    @Test func `a text is tokenised with special tokens only when asked`() async throws {
        try await TestServer(ScriptedEngine(saying: "x")).serve(over: .inProcess) { send in
            let plain = try await send("POST", "/v1/ryz/tokenize", #"{"text":"a<|end|>"}"#).json
            #expect(plain.ids.ints == "a<|end|>".utf8.map { Int($0) })
            let special = try await send("POST", "/v1/ryz/tokenize", #"{"text":"a<|end|>","special":true}"#).json
            #expect(special.ids.ints == [256, 97, 257])
            #expect(special.pieces.strings == ["<|begin|>", "a", "<|end|>"])
        }
    }
}
