import Crypto
import Foundation
import Testing
import Transport

@testable import HTTPAPI

/// Who is answered where clients need keys.
@Suite(.timeLimit(.minutes(10)))
struct ClientAccessTests {
    private let engine = ScriptedEngine(saying: "x")

    private func key(_ name: String, _ role: ClientKey.Role) -> ClientKey {
        ClientKey(
            name: NodeID(name) ?? .coordinator, role: role, digest: Array(SHA256.hash(data: Data("\(name)'s key".utf8)))
        )
    }

    private func status(
        _ port: Int, _ method: String, _ path: String, _ authorization: String?, _ body: String = ""
    ) async throws -> Answer {
        let fields = authorization.map { "Authorization: \($0)\r\n" } ?? ""
        return try await Wire.exchange(port: port, Wire.request(method, path, Array(body.utf8), fields: fields))
    }

    @Test func `those with a key are answered for what it allows, and nobody else`() async throws {
        let access = ClientAccess([key("shop", .client), key("admin", .operator)])
        let prompt = #"{"prompt":"a","max_tokens":1}"#
        try await TestServer(engine, access: access).listening { port in
            for path in ["/healthz", "/readyz"] {
                #expect(try await status(port, "GET", path, nil).status == 200)
            }
            for wrong in [nil, "Bearer", "Bearer nobody's key", "Basic shop's key", "shop's key"] {
                for (method, path) in [
                    ("POST", "/v1/completions"), ("GET", "/v1/models"), ("POST", "/v1/ryz/shutdown"),
                ] {
                    let answer = try await status(port, method, path, wrong, prompt)
                    #expect(answer.status == 401, "\(path) \(wrong ?? "")")
                    #expect(answer.headers["www-authenticate"] == "Bearer")
                    #expect(try answer.json.error.code.string == "invalid_api_key")
                }
            }
            for right in ["Bearer shop's key", "bearer admin's key"] {
                #expect(try await status(port, "POST", "/v1/completions", right, prompt).status == 200)
                #expect(try await status(port, "GET", "/v1/ryz/health", right).status == 200)
            }
            let refused = try await status(port, "POST", "/v1/ryz/shutdown", "Bearer shop's key")
            #expect(refused.status == 403)
            #expect(try refused.json.error.code.string == "insufficient_permissions")
            #expect(engine.operations.isEmpty)
            #expect(try await status(port, "POST", "/v1/ryz/shutdown", "Bearer admin's key").status == 202)
        }
    }

    @Test func `requests say whose they are, and without keys nobody's`() async throws {
        let access = ClientAccess([key("shop", .client), key("cafe", .client)])
        let chat = #"{"messages":[{"role":"user","content":"a"}],"max_tokens":1}"#
        try await TestServer(engine, access: access).listening { port in
            for name in ["shop", "cafe", "shop"] {
                for (path, body) in [
                    ("/v1/completions", #"{"prompt":"a","max_tokens":1}"#), ("/v1/chat/completions", chat),
                ] {
                    let answer = try await status(port, "POST", path, "Bearer \(name)'s key", body)
                    #expect(answer.status == 200)
                }
            }
        }
        let owners = engine.requests.map(\.owner)
        #expect(owners.count == 6)
        #expect(owners.allSatisfy { $0 != nil })
        #expect(Set(owners[0..<2] + owners[4..<6]).count == 1)
        #expect(owners[2] == owners[3] && owners[2] != owners[0])
        let open = ScriptedEngine(saying: "x")
        try await TestServer(open).listening { port in
            let answer = try await status(port, "POST", "/v1/chat/completions", nil, chat)
            #expect(answer.status == 200)
        }
        #expect(open.requests.map(\.owner) == [nil])
    }

    @Test func `a key that is taken back is no longer one`() async throws {
        let access = ClientAccess([key("shop", .client)])
        try await TestServer(engine, access: access).listening { port in
            let before = try await status(port, "GET", "/v1/models", "Bearer shop's key")
            access.allow([key("cafe", .client)])
            let after = try await status(port, "GET", "/v1/models", "Bearer shop's key")
            let other = try await status(port, "GET", "/v1/models", "Bearer cafe's key")
            #expect([before, after, other].map(\.status) == [200, 401, 200])
        }
    }
}
