import Testing
import Transport
import Wire
import ZeroMQ

@Suite struct ControlPlaneTests {
    /// Sends as soon as there is a connection.
    private func send(_ envelope: Envelope, _ client: ControlClient) throws {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while true {
            do throws(LinkError) {
                return try client.send(envelope)
            } catch {
                guard case .timedOut = error, clock.now < deadline else { throw error }
                _ = try client.receive(timeout: .milliseconds(5))
            }
        }
    }

    private func next(_ server: ControlServer) throws -> ControlArrival {
        try #require(try server.receive(timeout: patience))
    }

    private func reply(_ number: UInt64) -> Envelope {
        Envelope(
            clusterID: "test", epoch: Epoch(0), sender: .coordinator,
            body: .heartbeatReply(HeartbeatReply(number: number)))
    }

    @Test func `a worker's hello is answered on its connection`() throws {
        let server = try ControlServer(binding: "tcp://127.0.0.1:0")
        let worker = try nodeID("w")
        let client = try ControlClient(node: worker, connecting: server.endpoint)
        try send(hello(from: worker), client)
        guard case .message(let envelope, let connection) = try next(server) else {
            Issue.record("no message")
            return
        }
        #expect(envelope == hello(from: worker))
        #expect(connection.node == worker)
        try server.send(reply(7), to: connection)
        #expect(try client.receive(timeout: patience) == .message(reply(7)))
    }

    @Test func `a second worker of the same name is another connection`() throws {
        let server = try ControlServer(binding: "tcp://127.0.0.1:0")
        let worker = try nodeID("twin")
        let clients = [
            try ControlClient(node: worker, connecting: server.endpoint),
            try ControlClient(node: worker, connecting: server.endpoint),
        ]
        var connections: [ConnectionID] = []
        for (index, client) in clients.enumerated() {
            try send(hello(from: worker, incarnation: UInt64(index)), client)
            guard case .message(let envelope, let connection) = try next(server) else {
                Issue.record("no message")
                return
            }
            #expect(envelope == hello(from: worker, incarnation: UInt64(index)))
            connections.append(connection)
        }
        #expect(connections[0] != connections[1])
        for (index, client) in clients.enumerated() {
            try server.send(reply(UInt64(index)), to: connections[index])
            #expect(try client.receive(timeout: patience) == .message(reply(UInt64(index))))
        }
    }

    @Test func `a connection made again is heard at once, and the old one is gone`() throws {
        let server = try ControlServer(binding: "tcp://127.0.0.1:0")
        let worker = try nodeID("w")
        let client = try ControlClient(node: worker, connecting: server.endpoint)
        try send(hello(from: worker), client)
        guard case .message(_, let old) = try next(server) else { return }
        try client.reconnect()
        try send(hello(from: worker, incarnation: 2), client)
        guard case .message(_, let new) = try next(server) else { return }
        #expect(new != old && new.node == old.node)
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var failure: LinkError?
        while failure == nil, clock.now < deadline {
            do throws(LinkError) {
                try server.send(reply(1), to: old)
                _ = try server.receive(timeout: .milliseconds(5))
            } catch { failure = error }
        }
        #expect(failure == .unreachable(worker))
        try server.send(reply(2), to: new)
        #expect(try client.receive(timeout: patience) == .message(reply(2)))
    }

    @Test func `other protocol versions are reported on both sides, so that they can be refused`() throws {
        let server = try ControlServer(binding: "tcp://127.0.0.1:0")
        let worker = try nodeID("w")
        let peer = try RawPeer(server.endpoint, routingID: "w/1")
        try peer.send([try ofVersion(3, hello(from: worker))])
        guard case .otherVersion(3, let connection) = try next(server) else {
            Issue.record("version 3 was not told")
            return
        }
        #expect(connection.node == worker)

        let router = try RawRouter()
        let client = try ControlClient(node: worker, connecting: router.endpoint)
        try send(hello(from: worker), client)
        try router.answerFirst(with: try ofVersion(4, reply(1)))
        #expect(try client.receive(timeout: patience) == .otherVersion(theirs: 4))
    }

    @Test func `bad control frames are dropped and counted`() throws {
        let server = try ControlServer(binding: "tcp://127.0.0.1:0")
        let peer = try RawPeer(server.endpoint, routingID: "mallory/1")
        let good = try Wire.encode(hello(from: try nodeID("mallory")))
        try peer.send([[9, 9, 9]])
        try peer.send([good, [1]])
        try peer.send([try Wire.encode(hello(from: try nodeID("someone")))])
        try peer.send([good])
        guard case .message(let envelope, _) = try next(server) else {
            Issue.record("the good one did not come through")
            return
        }
        #expect(envelope == hello(from: try nodeID("mallory")))
        #expect(server.drops.entries.map(\.reason) == [.forgedSender, .malformed, .unexpectedFrames])
        #expect(server.drops.total == 3)
    }

    @Test func `nothing is sent, and nobody waits, while no coordinator is there`() throws {
        let port = try SilentPort()
        defer { port.close() }
        let worker = try nodeID("w")
        let client = try ControlClient(node: worker, connecting: port.endpoint)
        #expect(throws: LinkError.timedOut(.coordinator, afterMilliseconds: 0)) { try client.send(hello(from: worker)) }
        #expect(try client.receive(timeout: .milliseconds(1)) == nil)
    }
}
