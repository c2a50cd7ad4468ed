public import Transport

/// Links among ranks on different machines, over the data plane. What arrives there meanwhile and is no rank's part of this
/// stage's steps is kept for the caller.
public final class SocketLinks: RankLinks {
    public let rank: Int
    public let rankCount: Int
    public let maximumPostByteCount: Int
    public let openRoundLimit: Int

    private let links: any DataLinks
    private let clusterID: String
    private let epoch: Epoch
    /// By rank; nil for those that are reached otherwise, and for this one.
    private let nodes: [NodeID?]
    private let wait: ExchangeWait
    /// Other messages; see `DeliveryBacklog`.
    private let backlog: DeliveryBacklog
    private var step = StepID(0)
    private var timeout: Duration = .zero
    private var postedCount: UInt32 = 0
    private var finishedCount: UInt32 = 0
    /// Parts that have come and have not been read, in order, for each rank.
    private var arrived: [[Part]]

    private struct Part {
        let exchange: Exchange
        let payload: any Payload
    }

    /// How long to look for a message, letting others run, before sleeping: a part is rarely far away.
    private static let spinning: Duration = .microseconds(500)

    /// - Parameters:
    ///   - links: with a link to each of `nodes`.
    ///   - maximumPostByteCount: at least a row of what is exchanged; larger parts go in several rounds.
    public init(
        _ links: any DataLinks, clusterID: String, epoch: Epoch, rank: Int, nodes: [NodeID?],
        maximumPostByteCount: Int, openRoundLimit: Int, wait: ExchangeWait, backlog: DeliveryBacklog
    ) {
        self.links = links
        self.clusterID = clusterID
        self.epoch = epoch
        self.rank = rank
        self.nodes = nodes
        self.maximumPostByteCount = maximumPostByteCount
        self.openRoundLimit = openRoundLimit
        self.wait = wait
        self.backlog = backlog
        rankCount = nodes.count
        arrived = Array(repeating: [], count: nodes.count)
    }

    public func begin(_ step: StepID, rowCount: Int) {
        self.step = step
        timeout = wait.timeout(rowCount: rowCount)
    }

    public func post(_ bytes: RawSpan, part: (_ rank: Int) -> Range<Int>) throws(ExchangeError) {
        let envelope = Envelope(
            clusterID: clusterID, epoch: epoch, sender: links.node,
            body: .exchange(Exchange(step: step, round: postedCount)))
        for other in 0..<rankCount {
            guard let node = nodes[other] else { continue }
            let range = part(other)
            if range.isEmpty { continue }
            do throws(LinkError) {
                try links.send(envelope, payload: bytes.extracting(range), to: node)
            } catch {
                throw wait.error(step, rank: other, "did not take its part (\(error))", timeout)
            }
        }
        postedCount &+= 1
    }

    public func read(from other: Int, byteCount: Int, _ body: (RawSpan) -> Void) throws(ExchangeError) {
        var problem: LinkError?
        let hasArrived = wait.until(timeout) { slice in
            if !arrived[other].isEmpty { return true }
            do throws(LinkError) {
                if let delivery = try links.receive(timeout: slice, spinning: min(slice, Self.spinning)) {
                    take(delivery)
                }
            } catch {
                problem = error
            }
            return !arrived[other].isEmpty || problem != nil
        }
        guard hasArrived, let next = arrived[other].first else {
            throw wait.error(
                step, rank: other, problem.map { "is out of reach (\($0))" } ?? "has not given its part", timeout)
        }
        guard next.exchange == Exchange(step: step, round: finishedCount), next.payload.byteCount == byteCount else {
            throw wait.error(step, rank: other, "has given a part of another step, round or size", timeout)
        }
        arrived[other].removeFirst()
        next.payload.withBytes(body)
    }

    public func finishRound() { finishedCount &+= 1 }

    /// Takes a message that may be a part of one of this stage's steps.
    public func take(_ delivery: Delivery) {
        guard case .exchange(let exchange) = delivery.envelope.body else {
            if !backlog.append(delivery) { links.drop(from: delivery.sender, because: .queueFull) }
            return
        }
        guard delivery.envelope.epoch == epoch else {
            let isOlder = delivery.envelope.epoch < epoch
            links.drop(from: delivery.sender, because: isOlder ? .olderEpoch : .unexpectedMessage)
            return
        }
        guard let payload = delivery.payload, payload.byteCount <= maximumPostByteCount,
            let other = nodes.firstIndex(of: delivery.sender)
        else {
            links.drop(from: delivery.sender, because: .unexpectedMessage)
            return
        }
        // A rank cannot be further ahead: it waits for this one's parts.
        guard arrived[other].count < 2 * openRoundLimit else {
            links.drop(from: delivery.sender, because: .queueFull)
            return
        }
        arrived[other].append(Part(exchange: exchange, payload: payload))
    }
}
