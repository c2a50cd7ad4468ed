import Testing
import ZeroMQ

@Suite struct LocalAddressTests {
    @Test func `loopback is reached from loopback`() throws {
        #expect(try LocalAddress.reaching("tcp://127.0.0.1:7070") == "127.0.0.1")
        #expect(try LocalAddress.reaching("tcp://localhost:7070") == "127.0.0.1")
        #expect(throws: ZeroMQError.self) { try LocalAddress.reaching("nonsense") }
    }

    @Test func `a thread's end is seen by everyone who joins it`() throws {
        let thread = try OwnedThread.start(name: "short") {}
        #expect(thread.join(within: patience))
        #expect(thread.join(within: .zero))
        let hold = try WakeSignal()
        let waiting = try OwnedThread.start(name: "waiting") {
            guard let held = try? ZeroMQTests.links("held", wake: [hold]) else { return }
            _ = try? held.receive(timeout: patience)
        }
        #expect(!waiting.join(within: .zero))
        hold.signal()
        #expect(waiting.join(within: patience))
    }
}
