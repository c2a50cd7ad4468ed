import ClusterCore
import Foundation
import Testing

@testable import HTTPAPI

@Suite(.timeLimit(.minutes(10)))
struct StreamResumptionTests {
    @Test func `the id of an event says how much was written, and is read back`() {
        var position = StreamPosition(choiceCount: 3)
        #expect(position.eventID(of: "s") == "s:-,-,-")
        position.choices = [nil, .init(tokenCount: 7), .init(tokenCount: 12, hasEnded: true)]
        position.hasUsage = true
        #expect(position.eventID(of: "s") == "s:-,7,12.+")
        #expect(StreamPosition(eventID: "s:-,7,12.+", of: "s", choiceCount: 3) == position)
        for text in ["", "s", "t:1,2,3", "s:1,2", "s:1,2,3,4", "s:1,2,x", "s:1,2,-3", "s:1,2,.", "s:1,,3", "s:1,2,+3"] {
            #expect(StreamPosition(eventID: text, of: "s", choiceCount: 3) == nil, "\(text)")
        }
    }

    private static func body(_ fields: String) -> String {
        #"{"messages": [{"role": "user", "content": "hi"}], "stream": true, "stream_options": {"include_usage": true}\#(fields)}"#
    }

    @Test(arguments: ["", #", "logprobs": true, "top_logprobs": 1"#, #", "stop": ["w"]"#, #", "n": 3"#])
    func `a stream goes on behind any of its events`(fields: String) async throws {
        let engine = ScriptedEngine(saying: "héllo wörld")
        try await TestServer(engine).serve(over: .inProcess) { send in
            let whole = try await send("POST", "/v1/chat/completions", Self.body(fields))
            #expect(whole.status == 200 && whole.eventIDs.count == whole.events.count - 1)
            let id = try #require(whole.headers["x-request-id"])
            let again = try await send("GET", "/v1/ryz/streams/\(id)", "")
            #expect(again.events.sorted() == whole.events.sorted())
            for (index, eventID) in whole.eventIDs.enumerated() {
                let rest = try await TestServer.rest(of: id, behind: eventID, engine)
                // Choices run side by side, so only the events of each are in order.
                #expect(rest.events.sorted() == whole.events.dropFirst(index + 1).sorted(), "behind \(eventID)")
                #expect(rest.events.last == "[DONE]")
            }
        }
    }

    @Test func `what cannot be resumed says why`() async throws {
        let engine = ScriptedEngine(saying: "x")
        try await TestServer(engine).serve(over: .inProcess) { send in
            let unknown = try await send("GET", "/v1/ryz/streams/chatcmpl-1", "")
            #expect(unknown.status == 404)
            #expect(try unknown.json.error.code.string == "stream_not_found")
            let whole = try await send("POST", "/v1/chat/completions", Self.body(""))
            let id = try #require(whole.headers["x-request-id"])
            let wrong = try await TestServer.rest(of: id, behind: "\(id):x", engine)
            #expect(wrong.status == 400)
            #expect(try wrong.json.error.param.string == "Last-Event-ID")
        }
    }
}
