import Transport
import ZeroMQ

/// A connection to a node that serves weights, and what it was asked for.
final class WeightsLine {
    struct Answer {
        /// Under which it was asked for; below 0 for what is no item.
        var index: Int
        var result: WeightsReply.Result
        var payload: (any Payload)?
        /// From the question on.
        var duration: Duration
    }

    private struct Question {
        var index: Int
        var askedAt: ContinuousClock.Instant
    }

    let source: Peer
    let socket: WeightsClientSocket
    private let supply: WeightsSupply
    private let clock = ContinuousClock()
    private var lastNumber: UInt64 = 0
    private var questions: [UInt64: Question] = [:]
    private var lastItemAt: ContinuousClock.Instant?
    /// Since when there is no connection to ask over, or it takes nothing.
    private var refusedSince: ContinuousClock.Instant?

    /// After how many messages that answer nothing to look at something else.
    private static let refusalLimit = 16

    /// - Parameter limits: what may be held of what comes.
    /// - Throws: `.link` if there cannot be a connection.
    init(to source: Peer, _ supply: WeightsSupply, limits: WeightsLimits = WeightsLimits()) throws(WeightsError) {
        self.source = source
        self.supply = supply
        do throws(ZeroMQError) {
            socket = try WeightsClientSocket(
                node: supply.node, clusterID: supply.clusterID, connectingTo: source, limits: limits,
                security: supply.security)
        } catch {
            throw .link(error.description)
        }
    }

    /// Since when an answer, or a connection to ask over, is waited for; nil if nothing is. While items come, those behind them
    /// may still do so; answers as to what is there say nothing of that.
    var waitingSince: ContinuousClock.Instant? {
        guard let asked = questions.values.map(\.askedAt).min() ?? refusedSince else { return nil }
        return max(asked, lastItemAt ?? asked)
    }

    /// How many questions have had no answer.
    var openCount: Int { questions.count }

    /// Whether the question was handed to a connection.
    func ask(_ item: WeightsRequest.Item, as index: Int) throws(WeightsError) -> Bool {
        let now = clock.now
        let request = WeightsRequest(number: lastNumber + 1, item: item)
        let envelope = Envelope(
            clusterID: supply.clusterID, epoch: supply.epoch, sender: supply.node, body: .weightsRequest(request))
        do throws(LinkError) {
            try socket.send(envelope)
        } catch .timedOut {
            // No connection yet, or it is busy.
            refusedSince = refusedSince ?? now
            return false
        } catch {
            throw .link(error.description)
        }
        refusedSince = nil
        lastNumber += 1
        questions[lastNumber] = Question(index: index, askedAt: now)
        return true
    }

    /// An answer that has arrived, if any has.
    func nextAnswer() throws(WeightsError) -> Answer? {
        for _ in 0..<Self.refusalLimit {
            guard let delivery = try receive() else { return nil }
            guard case .weightsReply(let reply) = delivery.envelope.body,
                let question = questions.removeValue(forKey: reply.number)
            else { continue }
            let now = clock.now
            if question.index >= 0 { lastItemAt = now }
            return Answer(
                index: question.index, result: reply.result, payload: delivery.payload,
                duration: now - question.askedAt)
        }
        return nil
    }

    /// Makes a fresh connection; what had no answer has to be asked for anew.
    func reconnect() throws(WeightsError) -> [Int] {
        do throws(LinkError) { try socket.reconnect() } catch { throw .link(error.description) }
        return abandon()
    }

    /// Waits for no answer any more; what had none.
    func abandon() -> [Int] {
        let indices = questions.sorted { $0.key < $1.key }.map(\.value.index)
        (questions, refusedSince) = ([:], nil)
        return indices
    }

    private func receive() throws(WeightsError) -> Delivery? {
        do throws(LinkError) { return try socket.receive(timeout: .zero) } catch { throw .link(error.description) }
    }
}
