import Foundation
import Testing
import Transport

@testable import ZeroMQ

/// Encrypted links: who is let in, and what happens to everybody else.
@Suite(.timeLimit(.minutes(10))) struct SecurityTests {
    private let coordinator = NodeID.coordinator
    private let serverKeys: KeyPair
    private let workerKeys: KeyPair

    init() throws {
        serverKeys = try KeyPair.random()
        workerKeys = try KeyPair.random()
    }

    private func server(knowing keys: [NodeKey]) throws -> (server: ControlServer, security: NodeSecurity) {
        let security = try NodeSecurity(keys: serverKeys, allowed: keys)
        return (try ControlServer(binding: "tcp://127.0.0.1:0", security: security), security)
    }

    private func client(
        _ name: NodeID, _ keys: KeyPair, serverKey: PublicKey? = nil, to server: ControlServer
    ) throws -> ControlClient {
        let security = try NodeSecurity(
            keys: keys, allowed: [NodeKey(node: .coordinator, publicKey: serverKey ?? serverKeys.publicKey)])
        return try ControlClient(node: name, connecting: server.endpoint, security: security)
    }

    private func leave(_ sender: NodeID) -> Envelope {
        Envelope(clusterID: "test", epoch: Epoch(0), sender: sender, body: .leave(Leave(reason: "bye")))
    }

    /// Sends as soon as there is a connection; whether there came to be one within `limit`.
    private func send(_ client: ControlClient, _ envelope: Envelope, within limit: Duration) -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if (try? client.send(envelope)) != nil { return true }
            Thread.sleep(forTimeInterval: 0.01)
        }
        return false
    }

    @Test func `a worker whose key is known is heard, and hears the coordinator`() throws {
        let worker = try nodeID("box-1")
        let (server, _) = try server(knowing: [NodeKey(node: worker, publicKey: workerKeys.publicKey)])
        let client = try client(worker, workerKeys, to: server)
        try #require(send(client, leave(worker), within: .seconds(10)))
        guard case .message(let envelope, let connection)? = try server.receive(timeout: .seconds(10)) else {
            Issue.record("nothing came")
            return
        }
        #expect(envelope == leave(worker) && connection.node == worker)
        try server.send(leave(coordinator), to: connection)
        #expect(try client.receive(timeout: .seconds(10)) == .message(leave(coordinator)))
    }

    @Test func `unknown keys, plain text and another server's key get no connection`() throws {
        let worker = try nodeID("box-1")
        let (server, _) = try server(knowing: [NodeKey(node: worker, publicKey: workerKeys.publicKey)])
        let stranger = try client(worker, KeyPair.random(), to: server)
        let mistaken = try client(worker, workerKeys, serverKey: KeyPair.random().publicKey, to: server)
        let plain = try ControlClient(node: worker, connecting: server.endpoint)
        #expect(!send(stranger, leave(worker), within: .milliseconds(500)))
        #expect(!send(mistaken, leave(worker), within: .milliseconds(500)))
        // Nothing that it queues goes anywhere: the other end does not speak to it.
        _ = send(plain, leave(worker), within: .milliseconds(500))
        #expect(try server.receive(timeout: .milliseconds(500)) == nil)
        // Who belongs there is not kept from it.
        let known = try client(worker, workerKeys, to: server)
        try #require(send(known, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .seconds(10)) != nil)
    }

    @Test func `a key is good for its own name only`() throws {
        let (worker, other) = (try nodeID("box-1"), try nodeID("box-2"))
        let (server, _) = try server(knowing: [NodeKey(node: worker, publicKey: workerKeys.publicKey)])
        let client = try client(other, workerKeys, to: server)
        try #require(send(client, leave(other), within: .seconds(10)))
        #expect(try server.receive(timeout: .milliseconds(500)) == nil)
        #expect(server.drops.count(.forgedSender) == 1)
    }

    @Test func `nothing is taken from a key that is not known any more, although it is connected`() throws {
        let worker = try nodeID("box-1")
        let (server, security) = try server(knowing: [NodeKey(node: worker, publicKey: workerKeys.publicKey)])
        let client = try client(worker, workerKeys, to: server)
        try #require(send(client, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .seconds(10)) != nil)
        #expect(security.allow([NodeKey(node: .coordinator, publicKey: workerKeys.publicKey)]) == [worker])
        #expect(security.allowed.isEmpty)
        try #require(send(client, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .milliseconds(500)) == nil)
        #expect(server.drops.count(.revoked) == 1)
        let again = try self.client(worker, workerKeys, to: server)
        #expect(!send(again, leave(worker), within: .milliseconds(500)))
    }

    @Test func `a node that has another key now is not heard by its old one`() throws {
        let worker = try nodeID("box-1")
        let (server, security) = try server(knowing: [NodeKey(node: worker, publicKey: workerKeys.publicKey)])
        let old = try client(worker, workerKeys, to: server)
        try #require(send(old, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .seconds(10)) != nil)
        let newKeys = try KeyPair.random()
        #expect(security.allow([NodeKey(node: worker, publicKey: newKeys.publicKey)]) == [worker])
        try #require(send(old, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .milliseconds(500)) == nil)
        #expect(server.drops.count(.revoked) == 1)
        let new = try client(worker, newKeys, to: server)
        try #require(send(new, leave(worker), within: .seconds(10)))
        #expect(try server.receive(timeout: .seconds(10)) != nil)
        #expect(security.allow([NodeKey(node: worker, publicKey: newKeys.publicKey)]).isEmpty)
    }

    @Test func `data links are made among nodes that know each other`() throws {
        let (first, second) = (try nodeID("box-1"), try nodeID("box-2"))
        let (firstKeys, secondKeys) = (try KeyPair.random(), try KeyPair.random())
        let all = [
            NodeKey(node: first, publicKey: firstKeys.publicKey),
            NodeKey(node: second, publicKey: secondKeys.publicKey),
        ]
        let a = try ZeroMQDataLinks(
            node: first, clusterID: "test", binding: "tcp://127.0.0.1:0",
            security: NodeSecurity(keys: firstKeys, allowed: all))
        let b = try ZeroMQDataLinks(
            node: second, clusterID: "test", binding: "tcp://127.0.0.1:0",
            security: NodeSecurity(keys: secondKeys, allowed: all))
        try a.connect(to: Peer(node: second, dataEndpoint: b.endpoint))
        let payload = [UInt8](repeating: 7, count: 100_000)
        try a.send(leave(first), payload: payload.span.bytes, to: second)
        let delivery = try b.receive(timeout: .seconds(10), spinning: .zero)
        #expect(delivery?.sender == first && delivery?.payload?.byteCount == payload.count)
        let stranger = try nodeID("box-3")
        #expect(throws: LinkError.self) { try a.connect(to: Peer(node: stranger, dataEndpoint: b.endpoint)) }
        let plain = try ZeroMQDataLinks(node: stranger, clusterID: "test", binding: "tcp://127.0.0.1:0")
        try plain.connect(to: Peer(node: second, dataEndpoint: b.endpoint))
        try? plain.send(leave(stranger), payload: payload.span.bytes, to: second)
        #expect(try b.receive(timeout: .milliseconds(500), spinning: .zero) == nil)
    }

    @Test func `secret keys do not show in what is printed`() {
        #expect(!"\(workerKeys) \(workerKeys.secretKey)".contains(workerKeys.secretKey.text))
        #expect(PublicKey("too short") == nil && PublicKey(String(repeating: " ", count: 40)) == nil)
    }
}
