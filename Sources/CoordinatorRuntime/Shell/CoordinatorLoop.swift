import ClusterCore
import Logging
import Synchronization
import Transport
import WeightTransfer
import ZeroMQ

/// The coordinator's thread: owns the cores and the data plane, feeds the one from the other, and does what they say.
///
/// Lives on one thread. A result becomes the next step without leaving it.
final class CoordinatorLoop {
    private var core: CoordinatorCore<ConnectionID>
    private let links: ZeroMQDataLinks
    private let mailbox: Mailbox
    private let control: ControlPlane
    private let weights: WeightsServer?
    private let security: NodeSecurity?
    private let status: StatusBoard
    private let logger: Logger
    private let clock = MonotonicClock()
    private var dropLog = DropLog()
    private var tickHold: TickHold
    /// The ranks of the first stages, to which there are links.
    private var entrances: [NodeID] = []
    /// Whether the cores have ended the cluster.
    private var isShutDown = false
    private var desk: RequestDesk<RequestSink>

    init(
        core: CoordinatorCore<ConnectionID>, links: ZeroMQDataLinks, mailbox: Mailbox, control: ControlPlane,
        weights: WeightsServer?, security: NodeSecurity?, status: StatusBoard, journal: RequestJournal, logger: Logger
    ) {
        self.core = core
        self.links = links
        self.mailbox = mailbox
        self.control = control
        self.weights = weights
        self.security = security
        self.status = status
        desk = RequestDesk(journal: journal)
        self.logger = logger
        tickHold = TickHold(length: core.configuration.heartbeatInterval * 2)
    }

    /// Runs until the mailbox is stopped; the reason if the sockets failed.
    func run() -> String? {
        var failure: String?
        restore()
        while failure == nil {
            var delivery: Delivery?
            let timeout = timeout()
            tickHold.sleep(until: clock.now.advanced(by: timeout))
            do throws(LinkError) {
                delivery = try links.receive(timeout: timeout)
            } catch {
                failure = "data plane: \(error)"
            }
            tickHold.wake(at: clock.now)
            let contents = mailbox.take()
            failure = failure ?? contents.failure
            for mail in contents.mail { handle(mail) }
            for (ticket, reader) in contents.cancelled where desk.leave(ticket, by: reader) {
                apply(.cancelled(ticket))
            }
            if let delivery { apply(.data(delivery.envelope)) }
            let now = clock.now
            if let deadline = core.nextDeadline, tickHold.delaying(deadline) <= now { apply(.tick) }
            status.publish(core.readiness(at: now), at: now)
            dropLog.report(
                core: core.drops, data: links.drops, control: control.drops, weights: weightsDrops, at: now,
                to: logger)
            if contents.isStopped || isShutDown { break }
        }
        end(failure)
        return failure
    }

    private func timeout() -> Duration {
        guard let deadline = core.nextDeadline else { return .seconds(1) }
        return min(.seconds(1), max(.zero, clock.now.duration(to: tickHold.delaying(deadline))))
    }

    private func handle(_ mail: Mailbox.Mail) {
        switch mail {
        case .control(.message(let envelope, let connection)):
            apply(.control(envelope, from: connection))
        case .control(.otherVersion(let theirs, let connection)):
            apply(.otherVersion(theirs: theirs, connection.node, from: connection))
        case .closed(let connection):
            apply(.closed(connection.node, connection))
        case .allow(let workers):
            guard let security else { break }
            let revoked = security.allow(workers)
            apply(.keysChanged(Keyring(keys: security.allowed), revoked: revoked))
        case .submit(let ticket, let work, let sink, let accepted):
            desk.submit(ticket, sink)
            apply(.submitted(ticket, work), refusal: (ticket, accepted))
            accepted.answer(nil)
        case .read(let ticket, let request, let buffer, let accepted):
            read(request, ticket, into: buffer, accepted)
        case .keep(let stream): desk.keep(stream)
        case .keptStream(let id, let reply): reply.answer(.success(desk.stream(id)))
        case .health(let reply):
            reply.answer(health())
        case .measure(let reply):
            reply.answer(Result { () throws(MeasuringRefusal) in try core.requestMeasurement() })
        case .planningInput(let reply):
            reply.answer(core.planningInput)
        case .operate(let operation, let reply):
            let refusal = core.refusal(of: operation, at: clock.now)
            if refusal == nil { apply(.operation(operation)) }
            desk.noteDrained(by: core)
            reply.answer(refusal)
        }
    }

    private func health() -> ClusterHealth {
        core.health(at: clock.now, linkDropCount: links.drops.total + control.drops.total + weightsDrops.total)
    }

    private var weightsDrops: DropCounters { weights?.drops ?? DropCounters() }

    private func end(_ failure: String?) {
        let reason = failure ?? "the coordinator is shutting down"
        let error = failure.map { GenerationError.unavailable($0) } ?? .shuttingDown
        desk.close(error)
        status.close(health(), reason: reason)
        mailbox.stop()
        // Whatever was posted in between is answered, too.
        for mail in mailbox.take().mail {
            switch mail {
            case .submit(_, _, _, let accepted): accepted.answer(error)
            case .read(_, _, _, let accepted): accepted.answer(.failure(error))
            case .keptStream(_, let reply): reply.answer(.failure(error))
            case .keep: break
            case .health(let reply): reply.answer(health())
            case .measure(let reply): reply.answer(.failure(MeasuringRefusal(reason)))
            case .planningInput(let reply): reply.answer(nil)
            case .operate(let operation, let reply):
                reply.answer(operation == .shutDown && failure == nil ? nil : OperationRefusal(reason))
            case .control, .closed, .allow: break
            }
        }
        control.stop()
    }
}

extension CoordinatorLoop {
    /// Goes on with the requests of the coordinator before this one. Nobody reads them yet.
    private func restore() {
        let restored = desk.restore()
        if !restored.isEmpty { logger.notice("requests go on", metadata: ["requests": "\(restored.count)"]) }
        for entry in restored {
            apply(.restored(entry.ticket, .generation(entry.request), committed: entry.committed))
        }
    }

    private func read(
        _ request: GenerationRequest, _ ticket: Ticket, into buffer: EventBuffer,
        _ accepted: Reply<Result<Ticket, GenerationError>>
    ) {
        switch desk.read(request, ticket, .generation(buffer)) {
        case .known(let ticket): accepted.answer(.success(ticket))
        case .begun(let committed):
            let refusal = Reply<GenerationError?>()
            apply(.submitted(ticket, .generation(request), committed: committed), refusal: (ticket, refusal))
            accepted.answer(refusal.given.flatMap(\.self).map { .failure($0) } ?? .success(ticket))
        }
    }

    /// Feeds the cores and does all that follows, in order. A refusal of the request just submitted goes to whoever
    /// waits for it to be accepted.
    private func apply(
        _ event: CoordinatorCore<ConnectionID>.Event, refusal: (Ticket, Reply<GenerationError?>)? = nil
    ) {
        core.run(event, at: { clock.now }) { effect in
            guard let (ticket, accepted) = refusal, case .failed(ticket, let error) = effect else {
                return perform(effect)
            }
            desk.refuse(ticket)
            accepted.answer(error)
            return nil
        }
    }

    /// Does what the cores say; what that led to, if it matters to them.
    private func perform(
        _ effect: CoordinatorCore<ConnectionID>.Effect
    ) -> CoordinatorCore<ConnectionID>.Event? {
        switch effect {
        case .answer(let envelope, let connection): control.send(envelope, to: connection)
        case .connect(let peers, let kept): connect(to: peers, keeping: kept)
        case .sendStep(let envelope, let step, let nodes):
            for node in nodes {
                do throws(LinkError) {
                    try links.send(envelope, to: node)
                } catch {
                    return .stepNotSent(step.id, envelope.epoch, to: node, error)
                }
            }
        case .notice(let notice):
            desk.take(notice)
            notice.log(to: logger)
        case .shutDown:
            isShutDown = true
        case .reused, .token, .finished, .scored, .failed: _ = desk.take(effect)
        }
        return nil
    }

    private func connect(to peers: [Peer], keeping kept: [NodeID]) {
        for node in entrances where !kept.contains(node) { links.disconnect(from: node) }
        entrances = entrances.filter(kept.contains) + peers.map(\.node)
        for peer in peers {
            do throws(LinkError) {
                try links.connect(to: peer)
            } catch {
                // The first step finds no link then, and the worker is set aside with this reason.
                logger.error("no link to the first stage", metadata: ["node": "\(peer.node)", "error": "\(error)"])
            }
        }
    }
}

/// Nanoseconds since this clock was made; goes on while the machine sleeps.
struct MonotonicClock: Sendable {
    private let start = ContinuousClock.now

    var now: Instant { Instant(nanoseconds: (ContinuousClock.now - start).wholeNanoseconds) }
}
