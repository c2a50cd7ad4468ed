import Glibc
import Testing
import Transport
import Wire
import ZeroMQ

@Suite struct HostileFramesTests {
    /// Receives until `count` frames have been dropped, and nothing got through.
    private func waitForDrops(_ links: ZeroMQDataLinks, _ count: UInt64) throws {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while links.drops.total < count, clock.now < deadline {
            #expect(try links.receive(timeout: .milliseconds(20)) == nil)
        }
        #expect(links.drops.total == count)
    }

    private func expectStillAlive(_ links: ZeroMQDataLinks) throws {
        let friend = try ZeroMQTests.links("friend")
        try friend.connect(to: links.peer)
        try friend.send(envelope(from: friend.node), to: links.node)
        #expect(try links.next().sender == friend.node)
    }

    @Test func `bad frames are dropped and counted with their sender and reason`() throws {
        var limits = DataLinkLimits()
        limits.maximumPayloadByteCount = 1000
        let links = try links("victim", limits: limits)
        let good = try Wire.encode(envelope(from: try nodeID("mallory")))
        let cases: [(DropReason, [[UInt8]])] = [
            (.malformed, [[1, 2, 3, 4, 5, 6, 7, 8]]),
            (.otherVersion, [[]]),
            (.unexpectedFrames, [good, [1], [2]]),
            (.unexpectedFrames, [good] + Array(repeating: [0], count: 500)),
            (.forgedSender, [try Wire.encode(envelope(from: try nodeID("victim")))]),
            (.forgedSender, [try Wire.encode(envelope(from: .coordinator))]),
            (.otherCluster, [try Wire.encode(envelope(from: try nodeID("mallory"), cluster: "another"))]),
            (.otherVersion, [try ofVersion(9, envelope(from: try nodeID("mallory")))]),
            (.oversized, [good, [UInt8](repeating: 0, count: 1001)]),
        ]
        let peer = try RawPeer(links.endpoint, routingID: "mallory/1")
        for (_, parts) in cases { try peer.send(parts) }
        try waitForDrops(links, UInt64(cases.count))
        #expect(Set(links.drops.entries.map(\.sender)) == ["mallory"])
        for reason in DropReason.allCases {
            #expect(links.drops.count(reason) == UInt64(cases.count { $0.0 == reason }), "\(reason)")
        }
        try expectStillAlive(links)
    }

    @Test func `peers without a node's routing id are dropped under a readable name`() throws {
        let links = try links("victim")
        let good = try Wire.encode(envelope(from: try nodeID("mallory")))
        let routingIDs = [
            "mallory", "mallory/", "mallory/xyz", "mallory/12345678901234567", "bad name/1", "ünï\u{1B}/1",
            String(repeating: "x", count: 255),
        ]
        for routingID in routingIDs {
            let peer = try RawPeer(links.endpoint, routingID: routingID)
            try peer.send([good])
        }
        // And one that leaves its routing id to the ROUTER: a zero byte and four more.
        let peer = try RawPeer(links.endpoint, routingID: nil)
        try peer.send([good])
        try waitForDrops(links, UInt64(routingIDs.count + 1))
        #expect(links.drops.count(.unknownSender) == UInt64(routingIDs.count + 1))
        for entry in links.drops.entries {
            #expect(entry.sender.utf8.allSatisfy { (0x21...0x7e).contains($0) })
            #expect(entry.sender.utf8.count <= 32)
        }
        try expectStillAlive(links)
    }

    @Test func `a frame beyond the largest size closes its connection and nothing else`() throws {
        var limits = DataLinkLimits()
        limits.maximumPayloadByteCount = 1000
        limits.wire.maximumEnvelopeByteCount = 1000
        let links = try links("victim", limits: limits)
        let peer = try RawPeer(links.endpoint, routingID: "mallory/1")
        try peer.send([[UInt8](repeating: 0, count: 100_000)])
        try expectStillAlive(links)
        #expect(links.drops.total == 0)
    }

    @Test func `a wake signal is heard in the middle of a flood of bad frames`() throws {
        let wake = try WakeSignal()
        let links = try ZeroMQTests.links("victim", wake: [wake])
        let peer = try RawPeer(links.endpoint, routingID: "mallory/1")
        let count = 50
        for _ in 0..<count { try peer.send([[1, 2, 3]]) }
        try peer.send([try Wire.encode(envelope(from: try nodeID("mallory")))])
        // Without waiting, one is looked at at a time. The rest has come or is about to.
        let deadline = ContinuousClock.now + patience
        while links.drops.total == 0, ContinuousClock.now < deadline { _ = try links.receive(timeout: .zero) }
        wake.signal()
        #expect(try links.receive(timeout: patience) == nil)
        #expect(links.drops.total < UInt64(count))
        #expect(try links.next().sender == (try nodeID("mallory")))
        #expect(links.drops.total == UInt64(count))
    }

    @Test func `bytes that are not ZeroMQ at all do no harm`() throws {
        let links = try links("victim")
        let port = try #require(HostPort(endpoint: links.endpoint)?.port)
        var generator = SystemRandomNumberGenerator()
        for round in 0..<20 {
            let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
            try #require(descriptor >= 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(port).bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(result == 0)
            var bytes = (0..<2000).map { _ in UInt8.random(in: 0...255, using: &generator) }
            // Some rounds begin like a ZMTP greeting.
            if round % 2 == 0 { bytes.replaceSubrange(0..<10, with: [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F]) }
            _ = send(descriptor, bytes, bytes.count, CInt(MSG_NOSIGNAL))
        }
        try expectStillAlive(links)
    }
}
