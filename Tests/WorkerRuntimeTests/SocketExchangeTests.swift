import Collectives
import Foundation
import Kernels
import Testing
import Transport
import ZeroMQ

/// Ranks that exchange over the data plane, each on a thread of its own.
@Suite struct SocketExchangeTests {
    private static let columns = [0..<16, 16..<32, 32..<48]

    @Test func `a rank that is far behind does not lose what a faster one sends`() throws {
        let rows = 100
        let meeting = Meeting(count: 3)
        let threads = (0..<3).map { rank in
            Thread { meeting.report(rank, Result { try Self.gather(rank, rows: rows, meeting) }) }
        }
        for thread in threads { thread.start() }
        let whole = try #require(try meeting.results()[0])
        for row in 0..<rows {
            for column in 0..<48 { #expect(whole[row][column] == Float(row * 100 + column)) }
        }
    }

    /// What rank 0 has afterwards; nil on others.
    private static func gather(_ rank: Int, rows: Int, _ meeting: Meeting) throws -> [[Float]]? {
        let links = try ZeroMQDataLinks(
            node: try nodeID("rank-\(rank)"), clusterID: "test", binding: "tcp://127.0.0.1:0")
        let peers = try meeting.meet(rank, links.endpoint).enumerated().map {
            Peer(node: try nodeID("rank-\($0)"), dataEndpoint: $1)
        }
        for (other, peer) in peers.enumerated() where other != rank { try links.connect(to: peer) }
        let group = RankGroup(
            SocketLinks(
                links, clusterID: "test", epoch: Epoch(1), rank: rank,
                nodes: peers.enumerated().map { $0 == rank ? nil : $1.node }, maximumPostByteCount: 1 << 20,
                openRoundLimit: 4, wait: ExchangeWait(names: ["a", "b", "c"], timeout: patience),
                backlog: DeliveryBacklog()))
        group.begin(StepID(1), rowCount: rows)
        // The slow one: rank 2 has long sent all it may.
        if rank == 1 { Thread.sleep(forTimeInterval: 0.3) }
        var part = try Tensor(rows: rows, columns: 16)
        for row in 0..<rows { for column in 0..<16 { part[row, column] = Float(row * 100 + rank * 16 + column) } }
        var whole = try Tensor(rows: rows, columns: 48)
        try group.gather(part, rows: rows, columns: columns, into: &whole)
        // Nobody closes while another still reads.
        _ = try meeting.meet(rank, "done")
        return rank == 0 ? (0..<rows).map { whole.values(row: $0) } : nil
    }
}

/// Where threads wait for each other, and leave what came of their work.
private final class Meeting: @unchecked Sendable {
    private let condition = NSCondition()
    private var words: [Int: String] = [:]
    private var round = 0
    private var said: [String] = []
    private var outcomes: [Int: Result<[[Float]]?, any Error>] = [:]
    private let count: Int

    struct Alone: Error {}

    init(count: Int) { self.count = count }

    /// What all have said, in order, once they have.
    func meet(_ index: Int, _ word: String) throws -> [String] {
        condition.lock()
        defer { condition.unlock() }
        let present = round
        words[index] = word
        if words.count == count {
            said = (0..<count).compactMap { words[$0] }
            words = [:]
            round += 1
            condition.broadcast()
        }
        let limit = Date(timeIntervalSinceNow: 20)
        while round == present { guard condition.wait(until: limit) else { throw Alone() } }
        return said
    }

    func report(_ index: Int, _ outcome: Result<[[Float]]?, any Error>) {
        condition.withLock {
            outcomes[index] = outcome
            condition.broadcast()
        }
    }

    func results() throws -> [[[Float]]?] {
        condition.lock()
        defer { condition.unlock() }
        let limit = Date(timeIntervalSinceNow: 60)
        while outcomes.count < count { guard condition.wait(until: limit) else { throw Alone() } }
        return try (0..<count).map { try outcomes[$0]!.get() }
    }
}
