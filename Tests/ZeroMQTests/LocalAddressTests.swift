import Testing
import ZeroMQ

@Suite struct LocalAddressTests {
    @Test func `the parts of an endpoint are told apart`() {
        #expect(LocalAddress.host(of: "tcp://192.0.2.1:7070") == "192.0.2.1")
        #expect(LocalAddress.port(of: "tcp://192.0.2.1:7070") == 7070)
        #expect(LocalAddress.host(of: "tcp://[::1]:7070") == "::1")
        #expect(LocalAddress.port(of: "tcp://head.lan:1") == 1)
        for endpoint in ["", "tcp://", "tcp://:1", "ipc:///tmp/x", "http://a:1", "tcp://nowhere"] {
            #expect(LocalAddress.host(of: endpoint) == nil, "\(endpoint)")
        }
        #expect(LocalAddress.port(of: "tcp://a:70000") == nil)
        #expect(LocalAddress.port(of: "tcp://a:") == nil)
    }

    @Test func `loopback is reached from loopback`() throws {
        #expect(try LocalAddress.reaching("tcp://127.0.0.1:7070") == "127.0.0.1")
        #expect(try LocalAddress.reaching("tcp://localhost:7070") == "127.0.0.1")
        #expect(LocalAddress.isLoopback("127.0.0.1") && LocalAddress.isLoopback("localhost"))
        #expect(!LocalAddress.isLoopback("192.0.2.1"))
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
