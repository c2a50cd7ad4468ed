import ClusterCore
import Testing
import Transport

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct ClusterOperationsTests {
    private let two = NodeID("box-2") ?? .coordinator
    private let one = NodeID("box-1") ?? .coordinator

    @Test(arguments: Carrier.allCases)
    func `operations reach the engine`(carrier: Carrier) async throws {
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine).serve(over: carrier) { send in
            for path in [
                "nodes/box-2/drain", "nodes/box-1/drain?force=true", "nodes/box-1/resume", "rebalance", "shutdown",
            ] {
                let begun = try await send("POST", "/v1/ryz/\(path)", "")
                #expect(begun.status == 202)
                #expect(try await send("GET", "/v1/ryz/\(path)", "").status == 405)
            }
        }
        #expect(
            engine.operations == [
                .drain(two, isForced: false), .drain(one, isForced: true), .resume(one), .rebalance, .shutDown,
            ])
    }

    @Test(arguments: Carrier.allCases)
    func `what is refused says why`(carrier: Carrier) async throws {
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine).serve(over: carrier) { send in
            let refused = try await send("POST", "/v1/ryz/nodes/box-1/drain", "")
            #expect(refused.status == 409)
            #expect(try refused.json.error.code.string == "refused")
            #expect(try refused.json.error.message.string == "nobody can take over")
            let unknown = try await send("POST", "/v1/ryz/nodes/box-3/drain", "")
            #expect(unknown.status == 404)
            #expect(try unknown.json.error.code.string == "node_not_found")
            let misspelt = try await send("POST", "/v1/ryz/nodes/box-1/drain?force=maybe", "")
            #expect(misspelt.status == 400)
            #expect(try misspelt.json.error.param.string == "force")
            #expect(try await send("POST", "/v1/ryz/nodes/box%201/drain", "").status == 400)
        }
        #expect(engine.operations.isEmpty)
    }
}
