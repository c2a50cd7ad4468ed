import Testing

@testable import CoordinatorRuntime

@Suite(.timeLimit(.minutes(10))) struct ReplyTests {
    @Test func `a thread that does not answer is waited for no longer than the limit`() async {
        let reply = Reply<String>()
        #expect(await reply.wait(within: .milliseconds(20), else: "late") == "late")
        // What comes after that is heard by nobody.
        reply.answer("in time")
    }

    @Test func `an answer that comes in time counts, before the wait or during it`() async {
        let early = Reply<String>()
        early.answer("in time")
        #expect(await early.wait(within: .seconds(3600), else: "late") == "in time")
        let reply = Reply<String>()
        async let answer = reply.wait(within: .seconds(3600), else: "late")
        reply.answer("in time")
        #expect(await answer == "in time")
    }

    @Test func `a task that is cancelled does not wait`() async {
        let task = Task { await Reply<String>().wait(within: .seconds(3600), else: "late") }
        task.cancel()
        #expect(await task.value == "late")
    }
}
