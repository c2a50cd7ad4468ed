import Testing
import Transport

@testable import ClusterCore

@Suite struct WeightsDirectoryTests {
    private static let digest = [UInt8](repeating: 1, count: 32)
    private var directory = WeightsDirectory(headerDigest: digest)

    private static func node(_ number: Int) throws -> NodeID {
        try #require(NodeID("w\(number < 10 ? "0" : "")\(number)"))
    }

    private static func peer(_ number: Int) throws -> Peer {
        Peer(node: try node(number), dataEndpoint: "tcp://\(number):1")
    }

    private mutating func offer(
        _ number: Int, byteCount: UInt64 = 1, endpoint: String? = nil, digest: [UInt8] = digest
    ) throws -> [WeightsDirectory.News] {
        directory.note(
            WeightsOffer(
                endpoint: endpoint ?? "tcp://\(number):1", headerDigest: digest, heldByteCount: byteCount),
            of: try Self.node(number))
    }

    @Test mutating func `whoever says what it has is told who else has something`() throws {
        #expect(try offer(1) == [.init(node: Self.node(1), sources: [])])
        #expect(
            try offer(2, byteCount: 0) == [.init(node: Self.node(2), sources: [Self.peer(1)])])
        // Now it has something, which is news to the first.
        #expect(
            try offer(2) == [
                .init(node: Self.node(1), sources: [Self.peer(2)]), .init(node: Self.node(2), sources: [Self.peer(1)]),
            ])
        #expect(directory.remove(try Self.node(2)) == [.init(node: try Self.node(1), sources: [])])
        #expect(directory.remove(try Self.node(2)) == [])
    }

    @Test mutating func `who serves nothing or another model is no source`() throws {
        _ = try offer(1, endpoint: "")
        _ = try offer(2, digest: [UInt8](repeating: 2, count: 32))
        _ = try offer(3, digest: [])
        #expect(try offer(4).contains(.init(node: Self.node(4), sources: [])))
    }

    @Test mutating func `each is told of few, the next ones by name, and keeps those as long as they last`() throws {
        for number in 0..<40 { _ = try offer(number) }
        var told: [NodeID: [Peer]] = [:]
        for number in 0..<40 {
            for news in try offer(number) { told[news.node] = news.sources }
        }
        let limit = WeightsSources.limit
        #expect(told.count == 40 && told.values.allSatisfy { $0.count == limit })
        // In the end nobody is asked by all.
        let askedCounts = try (0..<40).map { number in
            let peer = try Self.peer(number)
            return told.values.count { $0.contains(peer) }
        }
        #expect(askedCounts.max() ?? 0 <= 2 * limit)
        for (node, sources) in told { #expect(!sources.map(\.node).contains(node)) }

        let gone = try Self.peer(7)
        let news = directory.remove(gone.node)
        #expect(news.count == told.values.count { $0.contains(gone) })
        for change in news {
            let before = told[change.node] ?? []
            #expect(change.sources.dropLast() == before.filter { $0 != gone }[...])
            #expect(change.sources.count == limit)
        }
    }
}

extension CoordinatorCoreTests {
    private func sources(_ effects: [CoordinatorCore<Int>.Effect]) -> [Int: [NodeID]] {
        var sources: [Int: [NodeID]] = [:]
        for case .answer(let envelope, let connection) in effects {
            if case .weightsSources(let told) = envelope.body { sources[connection] = told.peers.map(\.node) }
        }
        return sources
    }

    @Test mutating func `workers are told of each other's weights, until one is lost`() {
        let digest = core.configuration.placement.modelFile.headerDigest
        let offer = Envelope.Body.weightsOffer(
            WeightsOffer(endpoint: "tcp://x:1", headerDigest: digest, heldByteCount: 5))
        #expect(sources(hear(a, offer, at: .zero)) == [:])
        #expect(core.drops.total == 1)
        _ = hear(a, .hello(.from(a)), at: .zero)
        #expect(sources(hear(a, offer, at: .zero)) == [1: []])
        // One that says nothing is neither a source nor told of any.
        #expect(sources(hear(b, .hello(.from(b)), at: .zero)) == [:])
        #expect(sources(hear(b, offer, at: .zero)) == [1: [b], 2: [a]])
        #expect(sources(hear(b, .leave(Leave(reason: "home")), at: .seconds(1))) == [1: []])
        #expect(core.drops.total == 1)
    }
}
