import Transport

/// Which workers have weights for others, and who was told of them. A worker that never says what it has is neither a source
/// nor told of any.
struct WeightsDirectory: Sendable {
    /// What a worker is to be told.
    struct News: Equatable, Sendable {
        var node: NodeID
        var sources: [Peer]
    }

    /// Of these, by the digest of its header, anyone has use for weights.
    private let headerDigest: [UInt8]
    private var offers: [NodeID: WeightsOffer] = [:]
    private var told: [NodeID: [Peer]] = [:]

    init(headerDigest: [UInt8]) { self.headerDigest = headerDigest }

    /// A worker says what it has. It is told its sources in any case: it may not know them any more.
    mutating func note(_ offer: WeightsOffer, of node: NodeID) -> [News] {
        offers[node] = offer
        told[node] = nil
        return update()
    }

    mutating func remove(_ node: NodeID) -> [News] {
        guard offers.removeValue(forKey: node) != nil else { return [] }
        told[node] = nil
        return update()
    }

    /// Who has something, in order of name.
    private var sources: [Peer] {
        offers.filter { !$1.endpoint.isEmpty && $1.heldByteCount > 0 && $1.headerDigest == headerDigest }
            .map { Peer(node: $0, dataEndpoint: $1.endpoint) }.sorted { $0.node < $1.node }
    }

    /// Whose sources have changed. Those that a worker was told of stay as long as they can; to whom it has room for, it is
    /// told those that follow it by name first, so that not all ask the same few.
    private mutating func update() -> [News] {
        let sources = sources
        var news: [News] = []
        for node in offers.keys.sorted() {
            let first = sources.firstIndex { $0.node > node } ?? 0
            let others = (sources[first...] + sources[..<first]).filter { $0.node != node }
            var chosen = (told[node] ?? []).filter(others.contains)
            for source in others where chosen.count < WeightsSources.limit && !chosen.contains(source) {
                chosen.append(source)
            }
            if told[node] == chosen { continue }
            told[node] = chosen
            news.append(News(node: node, sources: chosen))
        }
        return news
    }
}

extension CoordinatorCore {
    mutating func take(_ offer: WeightsOffer, of node: NodeID, from connection: Connection) -> [Effect] {
        guard membership.connection(of: node) == connection else {
            drops.count(.unknownSender, from: node.name)
            return []
        }
        return tell(weights.note(offer, of: node))
    }

    func tell(_ news: [WeightsDirectory.News]) -> [Effect] {
        news.compactMap { news in
            membership.connection(of: news.node).map { connection in
                .answer(envelope(.weightsSources(WeightsSources(peers: news.sources))), to: connection)
            }
        }
    }
}
