import Collectives
import Kernels
import Transport

/// Measures the link to another worker, or answers one that does: on the compute thread, between steps, over the sockets
/// that hidden states take.
///
/// Other messages that arrive meanwhile are kept. Every wait has a time-out, and all of it ends for a newer assignment.
struct LinkMeter {
    let links: any DataLinks
    let clusterID: String
    let epoch: Epoch
    /// The number of the order.
    let order: UInt64
    let peer: NodeID
    /// Whether the two can share memory.
    let sharesMemory: Bool
    let backlog: DeliveryBacklog
    let isAbandoned: () -> Bool

    /// Bytes of messages that go there and back: what ranks agree on, a token's hidden states, a prompt's.
    private static let sizes = [64, 10 << 10, 1 << 20]
    private static let repetitionLimit = 60
    /// Time for one size, once there are three round trips of it.
    private static let sizeBudget: Duration = .milliseconds(50)
    private static let smallBurst = (count: 32, byteCount: 64)
    private static let largeBurst = (count: 16, byteCount: 1 << 20)
    private static let burstBudget: Duration = .milliseconds(100)
    /// An answer, or while answering, the next question.
    private static let answerTimeout: Duration = .seconds(2)
    private static let silenceLimit: Duration = .seconds(3)
    private static let answeringLimit: Duration = .seconds(10)
    /// How long a wait goes on before it looks whether it has been given up.
    private static let slice: Duration = .milliseconds(20)
    /// As ranks wait for each other.
    private static let spinning: Duration = .microseconds(500)

    struct Problem: Error {
        var message: String
    }

    /// Asks until the figures are there: round trips as medians, bursts at their best. The answering side is let go.
    func measure() throws(Problem) -> MeasuredLink {
        let bytes: ProbeBytes
        do throws(KernelError) { bytes = try ProbeBytes(limit: Self.largeBurst.byteCount) } catch {
            throw Problem(message: "\(error)")
        }
        var round: UInt32 = 0
        defer { try? send(.end, round, RawSpan()) }
        // The first message waits for the connection.
        for _ in 0..<3 { _ = try roundTrip(Self.sizes[0], bytes, &round) }
        var trips: [LinkMeasurement.RoundTrip] = []
        for size in Self.sizes {
            let seconds = try repeated(within: Self.sizeBudget, atLeast: 3) { () throws(Problem) in
                try roundTrip(size, bytes, &round)
            }
            trips.append(.init(byteCount: size, seconds: seconds.sorted()[seconds.count / 2]))
        }
        let small = try bestBurst(Self.smallBurst, bytes, &round)
        let large = try bestBurst(Self.largeBurst, bytes, &round)
        // The answer to the last message is as long under way as a small message and its answer, less a message.
        let latency = trips[0].seconds
        let sockets = LinkMeasurement(
            roundTrips: trips,
            bandwidthBytesPerSecond: Double(Self.largeBurst.count * Self.largeBurst.byteCount)
                / max(large - latency, large / 2, 1e-9),
            messageSeconds: max(0, small - latency) / Double(Self.smallBurst.count - 1))
        guard sharesMemory else { return MeasuredLink(sockets: sockets) }
        return MeasuredLink(
            sockets: sockets,
            memory: try throughMemory(makes: true) { () throws(Problem) in try send(.memory, round, RawSpan()) })
    }

    /// - Parameter announce: called once the memory is there, so that the other side looks for it.
    private func throughMemory(makes: Bool, announce: () throws(Problem) -> Void) throws(Problem) -> LinkMeasurement {
        let name = RankLinking.memoryName(clusterID: clusterID, epoch: epoch, "probe-\(order)")
        do throws(StageError) {
            let meter = try MemoryMeter(name, peer: peer, makes: makes, isAbandoned: isAbandoned)
            do throws(Problem) { try announce() } catch { throw StageError(error.message, isRetryable: true) }
            do throws(ExchangeError) { return try meter.measure(order) } catch {
                throw StageError(error.reason, isRetryable: true)
            }
        } catch {
            throw Problem(message: "memory shared with \(peer): \(error.message)")
        }
    }

    /// Answers until the other side says that it is done, or says nothing for a while.
    func answer() throws(Problem) {
        let deadline = ContinuousClock.now + Self.answeringLimit
        while ContinuousClock.now < deadline {
            let (probe, payload) = try next(within: Self.silenceLimit)
            switch probe.kind {
            case .ping:
                guard let payload else { break }
                try payload.withBytes { bytes throws(Problem) in try send(.pong, probe.round, bytes) }
            case .burstEnd: try send(.pong, probe.round, RawSpan())
            case .burst: break
            case .memory: _ = try throughMemory(makes: false) {}
            case .end: return
            case .pong: links.drop(from: peer, because: .unexpectedMessage)
            }
        }
    }

    private func roundTrip(_ size: Int, _ bytes: ProbeBytes, _ round: inout UInt32) throws(Problem) -> Double {
        round += 1
        let start = ContinuousClock.now
        try bytes.with(size) { bytes throws(Problem) in try send(.ping, round, bytes) }
        try awaitPong(round)
        return start.duration(to: .now) / .seconds(1)
    }

    /// Seconds from the first message of a burst to the answer to its last.
    private func bestBurst(
        _ burst: (count: Int, byteCount: Int), _ bytes: ProbeBytes, _ round: inout UInt32
    ) throws(Problem) -> Double {
        let seconds = try repeated(within: Self.burstBudget, atLeast: 1) { () throws(Problem) in
            round += 1
            let start = ContinuousClock.now
            try bytes.with(burst.byteCount) { bytes throws(Problem) in
                for _ in 1..<burst.count { try send(.burst, round, bytes) }
                try send(.burstEnd, round, bytes)
            }
            try awaitPong(round)
            return start.duration(to: .now) / .seconds(1)
        }
        return seconds.min() ?? 0
    }

    private func repeated(
        within budget: Duration, atLeast least: Int, _ measurement: () throws(Problem) -> Double
    ) throws(Problem) -> [Double] {
        let deadline = ContinuousClock.now + budget
        var seconds: [Double] = []
        while seconds.count < least || (seconds.count < Self.repetitionLimit && ContinuousClock.now < deadline) {
            seconds.append(try measurement())
        }
        return seconds
    }

    private func awaitPong(_ round: UInt32) throws(Problem) {
        let deadline = ContinuousClock.now + Self.answerTimeout
        while ContinuousClock.now < deadline {
            let (probe, _) = try next(within: Self.answerTimeout)
            if probe.kind == .pong, probe.round == round { return }
            links.drop(from: peer, because: .outOfOrder)
        }
        throw silence(Self.answerTimeout)
    }

    private func send(_ kind: LinkProbe.Kind, _ round: UInt32, _ bytes: RawSpan) throws(Problem) {
        let envelope = Envelope(
            clusterID: clusterID, epoch: epoch, sender: links.node,
            body: .linkProbe(LinkProbe(order: order, kind: kind, round: round)))
        do throws(LinkError) {
            try links.send(envelope, payload: bytes, to: peer)
        } catch {
            throw Problem(message: "the link to \(peer): \(error)")
        }
    }

    /// The next probe of this order from the other side.
    private func next(within timeout: Duration) throws(Problem) -> (LinkProbe, (any Payload)?) {
        let deadline = ContinuousClock.now + timeout
        while !isAbandoned() {
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { throw silence(timeout) }
            let delivery: Delivery?
            do throws(LinkError) {
                delivery = try links.receive(timeout: min(left, Self.slice), spinning: min(left, Self.spinning))
            } catch {
                throw Problem(message: "the data plane: \(error)")
            }
            guard let delivery else { continue }
            guard case .linkProbe(let probe) = delivery.envelope.body else {
                if !backlog.append(delivery) { links.drop(from: delivery.sender, because: .queueFull) }
                continue
            }
            guard delivery.sender == peer, delivery.envelope.epoch == epoch, probe.order == order else {
                links.drop(from: delivery.sender, because: .unexpectedMessage)
                continue
            }
            guard (delivery.payload?.byteCount ?? 0) <= Self.largeBurst.byteCount else {
                links.drop(from: delivery.sender, because: .wrongPayloadSize)
                continue
            }
            return (probe, delivery.payload)
        }
        throw Problem(message: "the link to \(peer) was not measured: there is something newer to do; measure again")
    }

    private func silence(_ timeout: Duration) -> Problem {
        Problem(
            message: "\(peer) did not answer within \(timeout.components.seconds) s; see whether its data endpoint can "
                + "be reached from here, and measure again")
    }
}
