import ClusterClient
import ClusterCore
import Foundation
import Testing

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct MeasuringTests {
    @Test(arguments: Carrier.allCases)
    func `measuring begins, or is refused with the reason`(carrier: Carrier) async throws {
        try await TestServer(ScriptedEngine(saying: "x")).serve(over: carrier) { send in
            let begun = try await send("POST", "/v1/ryz/measure", "")
            #expect(begun.status == 202)
            #expect(try begun.json.pending_count.int == 3)
            #expect(try await send("GET", "/v1/ryz/measure", "").status == 405)
        }
        let busy = ScriptedEngine(isReady: false) { _ in .init(tokens: []) }
        try await TestServer(busy).serve(over: carrier) { send in
            let refused = try await send("POST", "/v1/ryz/measure", "")
            #expect(refused.status == 409)
            #expect(try refused.json.error.code.string == "not_idle")
            #expect(try refused.json.error.message.string == "nothing is measured now: workers are loading")
        }
    }

    @Test func `what a plan is made from comes back as it was`() async throws {
        let engine = ScriptedEngine(saying: "x")
        let answer = try await TestServer(engine).serve(over: .inProcess) {
            try await $0("GET", "/v1/ryz/measurements", "")
        }
        #expect(answer.status == 200)
        let input = try JSONDecoder().decode(PlanningInput.self, from: Data(answer.body))
        #expect(input == (await engine.planningInput()))
    }
}
