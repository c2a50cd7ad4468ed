import Testing
import Transport
import Wire
import ZeroMQ

@Suite struct DataLinksTests {
    @Test func `a step and its hidden states arrive as they were sent`() throws {
        let first = try links("a")
        let second = try links("b")
        try first.connect(to: second.peer)
        let states = (0..<3 * 576).map { Float($0) * 0.25 }
        let sent = envelope(from: first.node)
        try first.send(sent, payload: states.span.bytes, to: second.node)
        try first.send(sent, to: second.node)

        let delivery = try second.next()
        #expect(delivery.sender == first.node)
        #expect(delivery.envelope == sent)
        #expect(delivery.payload?.byteCount == states.count * 4)
        #expect(delivery.payload?.bytes == states.span.bytes.withUnsafeBytes { Array($0) })
        let bare = try second.next()
        #expect(bare.envelope == sent)
        #expect(bare.payload == nil)
        #expect(second.drops.total == 0)
    }

    @Test func `payloads of any size start at an aligned address`() throws {
        let first = try links("a")
        let second = try links("b")
        try first.connect(to: second.peer)
        for byteCount in [0, 1, 4, 12, 33, 34, 100, 1000, 8191, 9000] {
            let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }
            for step in 1...3 {
                try first.send(
                    envelope(from: first.node, step: UInt64(step)), payload: bytes.span.bytes, to: second.node)
            }
            for _ in 1...3 {
                let payload = try #require(try second.next().payload)
                #expect(payload.bytes == bytes)
                let address = payload.withBytes { span in
                    span.withUnsafeBytes { Int(bitPattern: $0.baseAddress) }
                }
                #expect(byteCount == 0 || address % 8 == 0)
            }
        }
    }

    @Test func `sending fails by name when there is no link, nobody there, or too much`() throws {
        var limits = DataLinkLimits()
        limits.sendTimeout = .milliseconds(50)
        limits.maximumPayloadByteCount = 100
        let links = try links("a", limits: limits)
        let absent = try nodeID("absent")
        let step = envelope(from: links.node)
        #expect(throws: LinkError.notConnected(absent)) { try links.send(step, to: absent) }

        let port = try SilentPort()
        defer { port.close() }
        try links.connect(to: Peer(node: absent, dataEndpoint: port.endpoint))
        let timeout = LinkError.timedOut(absent, afterMilliseconds: 50)
        #expect(throws: timeout) { try links.send(step, to: absent) }
        #expect(throws: timeout) {
            let bytes = [UInt8](repeating: 0, count: 100)
            try links.send(step, payload: bytes.span.bytes, to: absent)
        }
        let refusal = #expect(throws: LinkError.self) {
            let bytes = [UInt8](repeating: 0, count: 101)
            try links.send(step, payload: bytes.span.bytes, to: absent)
        }
        #expect(refusal?.isRetryable == false)
        #expect(throws: LinkError.self) { try links.send(envelope(from: links.node, tokens: []), to: absent) }

        links.disconnect(from: absent)
        #expect(throws: LinkError.notConnected(absent)) { try links.send(step, to: absent) }
        #expect(throws: LinkError.self) {
            try links.connect(to: Peer(node: absent, dataEndpoint: "no endpoint"))
        }
    }

    @Test func `a peer whose queue is full fails the send in time`() throws {
        var limits = DataLinkLimits()
        limits.sendTimeout = .milliseconds(50)
        limits.sendQueueLength = 1
        limits.receiveQueueLength = 1
        let first = try links("a", limits: limits)
        let second = try links("b", limits: limits)
        try first.connect(to: second.peer)
        let bytes = [UInt8](repeating: 7, count: 8 << 20)
        var sentCount = 0
        var failure: LinkError?
        while failure == nil, sentCount < 100 {
            do throws(LinkError) {
                try first.send(
                    envelope(from: first.node, step: UInt64(sentCount)), payload: bytes.span.bytes, to: second.node)
                sentCount += 1
            } catch { failure = error }
        }
        #expect(failure == .timedOut(second.node, afterMilliseconds: 50))
        // What was taken arrives whole and in order.
        for step in 0..<sentCount {
            let delivery = try second.next()
            #expect(delivery.envelope == envelope(from: first.node, step: UInt64(step)))
            #expect(delivery.payload?.byteCount == bytes.count)
        }
    }

    @Test func `receiving ends with its time-out or a wake signal`() throws {
        let wake = try WakeSignal()
        let links = try links("a", wake: [wake])
        #expect(try links.receive(timeout: .milliseconds(1)) == nil)
        let thread = try OwnedThread.start(name: "waker") { wake.signal() }
        // Without the signal this would wait for an hour.
        #expect(try links.receive(timeout: .seconds(3600)) == nil)
        #expect(thread.join(within: patience))
        // One signal ends one wait.
        #expect(try links.receive(timeout: .zero) == nil)
        wake.signal()
        wake.signal()
        #expect(try links.receive(timeout: .seconds(3600)) == nil)
    }

    @Test func `a link made before its peer is there works when it comes`() throws {
        let first = try links("a")
        let port = try #require(HostPort(endpoint: try links("b").endpoint)?.port)
        let endpoint = "tcp://127.0.0.1:\(port)"
        let node = try nodeID("b")
        try first.connect(to: Peer(node: node, dataEndpoint: endpoint))
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        // libzmq closes the first owner of the port behind the scenes.
        var bound: ZeroMQDataLinks?
        while bound == nil, clock.now < deadline {
            bound = try? ZeroMQDataLinks(node: node, clusterID: "test", binding: endpoint)
            if bound == nil { _ = try first.receive(timeout: .milliseconds(5)) }
        }
        let second = try #require(bound)
        #expect(second.endpoint == endpoint)
        // What is sent over a connection to the port's first owner, which is about to close it, is lost with that.
        var delivery: Delivery?
        while delivery == nil, clock.now < deadline {
            try? first.send(envelope(from: first.node), to: node)
            delivery = try second.receive(timeout: .milliseconds(50))
        }
        #expect(try #require(delivery).sender == first.node)
    }

    @Test func `a node that comes back, and a link that is made again, are heard at once`() throws {
        let second = try links("b")
        for round in 1...5 {
            let first = try links("a")
            try first.connect(to: second.peer)
            try first.send(envelope(from: first.node, step: UInt64(round)), to: second.node)
            #expect(try second.next().envelope == envelope(from: first.node, step: UInt64(round)))
            try first.connect(to: second.peer)
            try first.send(envelope(from: first.node, step: 100), to: second.node)
            #expect(try second.next().envelope == envelope(from: first.node, step: 100))
        }
        #expect(second.drops.total == 0)
    }

    @Test func `the endpoint names the advertised host and the real port`() throws {
        let links = try ZeroMQDataLinks(
            node: try nodeID("a"), clusterID: "test", binding: "tcp://*:0", advertisedHost: "192.0.2.7")
        #expect(HostPort(endpoint: links.endpoint)?.host == "192.0.2.7")
        #expect(try #require(HostPort(endpoint: links.endpoint)?.port) > 0)
    }

    @Test func `a port in use is named`() throws {
        let links = try links("a")
        let error = #expect(throws: ZeroMQError.self) {
            _ = try ZeroMQDataLinks(node: try nodeID("b"), clusterID: "test", binding: links.endpoint)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(links.endpoint) && text.contains("in use"))
    }
}
