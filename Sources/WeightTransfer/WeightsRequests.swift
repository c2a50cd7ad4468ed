import Transport
import ZeroMQ

/// Asks a node for parts of a model's files, a few at a time, as often as it takes.
final class WeightsRequests {
    /// What is to be done about an answer.
    enum Verdict {
        case taken
        /// Ask again, a little later.
        case again
    }

    private let supply: WeightsSupply
    private let patience: WeightsPatience
    private let socket: WeightsClientSocket
    private let clock = ContinuousClock()
    private var lastNumber: UInt64 = 0

    init(_ supply: WeightsSupply, patience: WeightsPatience) throws(WeightsError) {
        self.supply = supply
        self.patience = patience
        do throws(ZeroMQError) {
            socket = try WeightsClientSocket(
                node: supply.node, clusterID: supply.clusterID, connectingTo: supply.source,
                security: supply.security, wake: supply.wake)
        } catch {
            throw .link(error.description)
        }
    }

    /// Asks for all items, in order as far as the network keeps it, until `take` has taken an answer to each.
    ///
    /// - Throws: `.refused`, `.silent`, `.abandoned`, `.link`, or what `take` throws.
    func run(
        _ items: [WeightsRequest.Item],
        take: (Int, WeightsReply.Result, (any Payload)?) throws(WeightsError) -> Verdict
    ) throws(WeightsError) {
        var waiting = Array(items.indices.reversed())
        var outstanding: [UInt64: Int] = [:]
        var silence = patience.firstSilence
        var hashed: LoadingProgress?
        var (heardAt, progressedAt, pausedUntil) = (clock.now, clock.now, clock.now)
        while !waiting.isEmpty || !outstanding.isEmpty {
            if supply.isAbandoned() { throw .abandoned }
            if clock.now >= pausedUntil { try send(items, &waiting, &outstanding) }
            guard let delivery = try receive() else {
                if clock.now - progressedAt >= patience.longestStandstill {
                    throw .silent(supply.source, seconds: Int(patience.longestStandstill.components.seconds))
                }
                if clock.now - heardAt >= silence {
                    // What was asked for may be lost, or the connection hang; a fresh one costs nothing.
                    try reconnect()
                    waiting += outstanding.values.sorted(by: >)
                    outstanding = [:]
                    heardAt = clock.now
                    silence = min(silence * 2, patience.longestSilence)
                }
                continue
            }
            heardAt = clock.now
            guard case .weightsReply(let reply) = delivery.envelope.body,
                let index = outstanding.removeValue(forKey: reply.number)
            else { continue }
            switch try verdict(
                on: reply.result,
                take: { result throws(WeightsError) in
                    try take(index, result, delivery.payload)
                })
            {
            case .taken:
                progressedAt = clock.now
                silence = patience.firstSilence
            case .again:
                waiting.append(index)
                pausedUntil = clock.now + patience.pause
            }
            if case .hashing(let progress) = reply.result, progress != hashed {
                hashed = progress
                progressedAt = clock.now
                supply.report(progress)
            }
        }
    }

    private func verdict(
        on result: WeightsReply.Result, take: (WeightsReply.Result) throws(WeightsError) -> Verdict
    ) throws(WeightsError) -> Verdict {
        switch result {
        case .problem(let problem): throw .refused(supply.source, problem: problem)
        case .hashing: .again
        case .content, .bytes: try take(result)
        }
    }

    private func send(
        _ items: [WeightsRequest.Item], _ waiting: inout [Int], _ outstanding: inout [UInt64: Int]
    ) throws(WeightsError) {
        while outstanding.count < patience.openRequestLimit, let index = waiting.last {
            lastNumber += 1
            let envelope = Envelope(
                clusterID: supply.clusterID, epoch: supply.epoch, sender: supply.node,
                body: .weightsRequest(WeightsRequest(number: lastNumber, item: items[index])))
            do throws(LinkError) {
                try socket.send(envelope)
            } catch .timedOut {
                // No connection yet, or it is busy.
                return
            } catch {
                throw .link(error.description)
            }
            outstanding[lastNumber] = index
            waiting.removeLast()
        }
    }

    private func receive() throws(WeightsError) -> Delivery? {
        do throws(LinkError) { return try socket.receive(timeout: patience.pause) } catch {
            throw .link(error.description)
        }
    }

    private func reconnect() throws(WeightsError) {
        do throws(LinkError) { try socket.reconnect() } catch { throw .link(error.description) }
    }
}

/// How long to wait for what while weights are fetched, and how much to ask for at a time.
public struct WeightsPatience: Equatable, Sendable {
    /// Requests under way. As many chunks are in memory at the source for each worker that fetches.
    public var openRequestLimit = 4
    /// Longest wait before looking up, and before asking again for what is not ready.
    public var pause: Duration = .milliseconds(200)
    /// Silence after which all is asked for anew over a fresh connection; it doubles from time to time.
    public var firstSilence: Duration = .seconds(5)
    public var longestSilence: Duration = .seconds(40)
    /// How long nothing may come before it is given up.
    public var longestStandstill: Duration = .seconds(120)

    public init() {}
}
