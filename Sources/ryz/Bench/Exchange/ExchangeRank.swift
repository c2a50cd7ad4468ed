import Collectives
import Foundation
import Kernels
import OperatorTools
import Transport
import ZeroMQ

/// One of the two processes that exchange.
final class ExchangeRank {
    private let rank: Int
    private let load: ExchangeLoad
    private let pingPong: Socket
    private let links: ZeroMQDataLinks
    private let groups: [(name: String, group: RankGroup)]
    private var sums: SumBuffer
    private var step = 0

    private static let clusterID = "bench"
    private static let timeout: Duration = .seconds(10)

    /// Starts the other process and measures with it.
    static func first(_ load: ExchangeLoad) throws -> ExchangeReport {
        let ping = try Socket(.dealer, name: "tcp://127.0.0.1:0", options: socketOptions)
        try ping.bind("tcp://127.0.0.1:0")
        let links = try makeLinks(0)
        let name = "/ryz-bench-\(getpid())"
        let region = try SharedRegion(creating: name, shape(load))

        let meetingPoint = [try ping.lastEndpoint(), links.endpoint, name].joined(separator: ",")

        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        other.arguments = [
            "bench", "exchange", "--bytes", "\(load.byteCount)", "--exchanges", "\(load.exchangeCount)",
            "--meeting-point", meetingPoint,
        ]
        other.standardInput = FileHandle.nullDevice
        other.standardOutput = FileHandle.nullDevice
        try other.run()
        defer {
            if other.isRunning { kill(other.processIdentifier, SIGKILL) }
            other.waitUntilExit()
        }
        guard let endpoint = try ping.receive()?.text else {
            throw ExchangeBenchmarkError(
                "the second process did not say where it listens within \(timeout.components.seconds) s")
        }
        let rank = try ExchangeRank(0, load, pingPong: ping, links: links, region: region, otherEndpoint: endpoint)
        return try rank.run()
    }

    /// What the other process does.
    static func second(_ load: ExchangeLoad, meetingPoint: String) throws {
        let parts = meetingPoint.split(separator: ",").map(String.init)
        guard parts.count == 3 else { throw ExchangeBenchmarkError("no meeting point: \(meetingPoint)") }
        let ping = try Socket(.dealer, name: parts[0], options: socketOptions)
        try ping.connect(parts[0])
        let links = try makeLinks(1)
        let region = try SharedRegion(opening: parts[2], shape(load))
        try ping.send(Message(text: links.endpoint))
        let rank = try ExchangeRank(1, load, pingPong: ping, links: links, region: region, otherEndpoint: parts[1])
        _ = try rank.run()
    }

    private init(
        _ rank: Int, _ load: ExchangeLoad, pingPong: consuming Socket, links: ZeroMQDataLinks, region: SharedRegion,
        otherEndpoint: String
    ) throws {
        self.rank = rank
        self.load = load
        self.pingPong = pingPong
        self.links = links
        let other = Self.node(1 - rank)
        try links.connect(to: Peer(node: other, dataEndpoint: otherEndpoint))
        let wait = ExchangeWait(names: ["rank-0", "rank-1"], timeout: Self.timeout)
        let near = SharedMemoryLinks(region, ranks: [0, 1], rank: rank, rankCount: 2, wait: wait)
        let far = SocketLinks(
            links, clusterID: Self.clusterID, epoch: Epoch(1), rank: rank,
            nodes: rank == 0 ? [nil, other] : [other, nil],
            maximumPostByteCount: load.byteCount, openRoundLimit: 4, wait: wait, backlog: DeliveryBacklog())
        groups = [("all-reduce through shared memory", RankGroup(near)), ("all-reduce over sockets", RankGroup(far))]
        sums = try SumBuffer(.exact, rows: 1, columns: load.byteCount / 4)
    }

    /// Seconds of each exchange, by kind.
    private func run() throws -> ExchangeReport {
        var pings: [Double] = []
        var combinations = Array(repeating: [Double](), count: groups.count)
        for block in 0..<ExchangeLoad.blockCount {
            let counts = block > 0
            for _ in 0..<load.exchangesPerBlock {
                let seconds = try Stopwatch.seconds { try bounce() }
                if counts { pings.append(seconds) }
            }
            for kind in groups.indices {
                for _ in 0..<load.exchangesPerBlock {
                    let seconds = try Stopwatch.seconds { try combine(kind) }
                    if counts { combinations[kind].append(seconds) }
                }
            }
        }
        return ExchangeReport(
            byteCount: load.byteCount, pingPongSeconds: Median.of(pings),
            kinds: zip(groups, combinations).map { .init(name: $0.name, seconds: Median.of($1)) })
    }

    private func combine(_ kind: Int) throws {
        step += 1
        groups[kind].group.begin(StepID(UInt64(step)), rowCount: 1)
        try groups[kind].group.combine(&sums, rows: 1)
    }

    /// There and back again; for the second process, the other way round.
    private func bounce() throws {
        if rank == 0 {
            try pingPong.send(Message(byteCount: load.byteCount) { _ in })
            guard try pingPong.receive() != nil else { throw ExchangeBenchmarkError("no answer to a ping") }
        } else {
            guard let ping = try pingPong.receive() else { throw ExchangeBenchmarkError("no ping came") }
            try pingPong.send(ping)
        }
    }

    private static func makeLinks(_ rank: Int) throws -> ZeroMQDataLinks {
        try ZeroMQDataLinks(node: node(rank), clusterID: clusterID, binding: "tcp://127.0.0.1:0")
    }

    private static func node(_ rank: Int) -> NodeID { rank == 0 ? NodeID("rank-0")! : NodeID("rank-1")! }

    private static func shape(_ load: ExchangeLoad) -> SharedRegion.Shape {
        SharedRegion.Shape(memberCount: 2, slotCount: 4, slotByteCount: load.byteCount)
    }

    private static var socketOptions: SocketOptions {
        var options = SocketOptions()
        options.receiveTimeout = timeout
        options.sendTimeout = timeout
        return options
    }
}

/// Why exchanges cannot be measured.
struct ExchangeBenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
