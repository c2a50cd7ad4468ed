import Kernels
import Logging
import Transport
import ZeroMQ

/// Runs a `ControlSession` on a thread: its socket, its clock, and what it asks for.
final class ControlLoop {
    private let configuration: WorkerConfiguration
    private let incarnation: UInt64
    private let dataEndpoint: String
    private let hostID = HostIdentity.current
    private let logger: Logger
    private let inbox: ControlInbox
    private let compute: ComputeInbox
    private let sharing: WeightsSharing
    private let usage: WorkerUsage
    private let client: ControlClient
    private let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    private var session: ControlSession
    /// Reports that found the connection's queue full or gone. Sent before anything newer.
    private var unsent: [Envelope] = []
    private let unsentLimit = 64
    private var ending: ControlSession.Ending?
    private var hasJoined = false
    private var hasComplained = false

    /// How long to be turned away in silence before saying so.
    private static let complaintDelay: Duration = .seconds(5)

    init(
        configuration: WorkerConfiguration, incarnation: UInt64, dataEndpoint: String, logger: Logger,
        inbox: ControlInbox, compute: ComputeInbox, sharing: WeightsSharing,
        usage: WorkerUsage
    ) throws(ZeroMQError) {
        self.configuration = configuration
        self.incarnation = incarnation
        self.dataEndpoint = dataEndpoint
        self.logger = logger
        self.inbox = inbox
        self.compute = compute
        self.sharing = sharing
        self.usage = usage
        client = try ControlClient(
            node: configuration.name, connecting: configuration.coordinatorEndpoint, limits: configuration.control,
            security: configuration.security,
            wake: [inbox.wake])
        start = clock.now
        session = ControlSession(node: configuration.name, clusterID: configuration.clusterID, at: .zero)
    }

    /// Runs until the session ends.
    func run() -> ControlSession.Ending {
        do throws(LinkError) {
            while true {
                if inbox.isStopping { try handle(.stop(reason: "the worker was stopped")) }
                // Before it is said that a part is there: who is to load the same one then knows where it is.
                let reports = inbox.takeReports()
                try handle(.offering(sharing.offer))
                for report in reports { try handle(.report(report)) }
                try handle(.tick)
                if let ending { return ending }
                complainIfTurnedAway()
                flush()
                // Also when reports could not be sent, the next heartbeat is soon enough.
                let wait = (session.nextDeadline ?? .zero) - now
                switch try client.receive(timeout: max(.zero, wait)) {
                case .message(let envelope): try handle(.received(envelope))
                case .otherVersion(let version): try handle(.receivedOtherVersion(version))
                case nil: break
                }
            }
        } catch {
            return .failed(error.description)
        }
    }

    private var now: Duration { clock.now - start }

    private func handle(_ event: ControlSession.Event) throws(LinkError) {
        let wasWelcomed = session.isWelcomed
        let effects = session.handle(event, at: now)
        if session.isWelcomed != wasWelcomed { logChange() }
        for effect in effects { try perform(effect) }
    }

    private func perform(_ effect: ControlSession.Effect) throws(LinkError) {
        switch effect {
        case .sendHello:
            let isSent = try send(.hello(hello()), Epoch(0))
            try handle(.helloSent(isSent))
        case .sendHeartbeat(let number, let roundTrip):
            // One that can't be sent now is not worth sending later.
            _ = try send(.heartbeat(heartbeat(number, roundTrip)), Epoch(0))
        case .send(let body, let epoch):
            let envelope = envelope(body, epoch)
            if unsent.isEmpty, try send(envelope) { return }
            if unsent.count >= unsentLimit { unsent.removeFirst() }
            unsent.append(envelope)
        case .reconnect:
            // They still matter to a coordinator that was only cut off, and follow its welcome.
            session.hold(unsent.map { ($0.body, $0.epoch) })
            unsent = []
            try client.reconnect()
        case .assign(let stage, let epoch, let results, let weights):
            logger.info(
                "stage assigned",
                metadata: [
                    "epoch": "\(epoch.number)", "stage": "\(stage.stage)", "stages": "\(stage.stageCount)",
                    "rank": "\(stage.rank)", "ranks": "\(stage.ranks.count)", "layers": "\(stage.layers)",
                    "previous": "\(stage.previous)",
                    "next": "\(stage.next.map(\.node.name).joined(separator: " "))",
                ])
            compute.post(.assign(.init(epoch: epoch, stage: stage, results: results, weights: weights)))
        case .trust(let keys):
            configuration.security?.allow(keys)
        case .fetchFrom(let sources):
            sharing.sources = sources
        case .measure(let order, let epoch):
            compute.post(order, epoch)
        case .release:
            logger.info("part released")
            compute.post(.release)
        case .keepReady(let stage, let epoch, let weights):
            logger.info(
                "part to be kept ready",
                metadata: [
                    "stage": "\(stage.stage)", "stages": "\(stage.stageCount)", "rank": "\(stage.rank)",
                    "ranks": "\(stage.ranks.count)", "layers": "\(stage.layers)",
                ])
            compute.post(.keepReady(stage, epoch, weights: weights))
        case .drop(let reason):
            client.drop(because: reason)
        case .end(let ending):
            flush()
            self.ending = ending
        }
    }

    private func flush() {
        while let envelope = unsent.first, (try? send(envelope)) == true { unsent.removeFirst() }
    }

    private func envelope(_ body: Envelope.Body, _ epoch: Epoch) -> Envelope {
        Envelope(clusterID: configuration.clusterID, epoch: epoch, sender: configuration.name, body: body)
    }

    private func send(_ body: Envelope.Body, _ epoch: Epoch) throws(LinkError) -> Bool {
        try send(envelope(body, epoch))
    }

    /// Whether the envelope was handed to a connection. What can never be sent is logged and counts as sent.
    private func send(_ envelope: Envelope) throws(LinkError) -> Bool {
        do throws(LinkError) {
            try client.send(envelope)
            return true
        } catch {
            switch error {
            case .timedOut, .unreachable, .notConnected: return false
            case .refused(let problem):
                logger.error("control message not sent", metadata: ["problem": "\(problem)"])
                return true
            case .system: throw error
            }
        }
    }

    private func hello() -> Hello {
        let memory = Processor.memory
        return Hello(
            incarnation: incarnation, processID: ProcessIdentity.number, hostName: HostName.current,
            hostID: configuration.sharesMemory ? hostID : "", cpuModel: configuration.cpuModel,
            instructionSet: configuration.instructionSet,
            threadCount: configuration.threadCount, memoryByteCount: memory.total,
            memoryFreeByteCount: memory.available, dataEndpoint: dataEndpoint, heldPart: usage.current.heldPart)
    }

    private func heartbeat(_ number: UInt64, _ roundTrip: Duration?) -> Heartbeat {
        let memory = Processor.memory
        let figures = usage.current
        return Heartbeat(
            number: number, memoryUsedByteCount: Processor.residentByteCount, memoryFreeByteCount: memory.available,
            keyValueTokenCount: figures.keyValueTokenCount, keyValueTokenCapacity: figures.keyValueTokenCapacity,
            computedTokenCount: figures.computedTokenCount,
            droppedFrameCount: figures.droppedFrameCount + client.drops.total + sharing.dropCount, roundTrip: roundTrip,
            heldPart: figures.heldPart, fetchedByteCount: figures.fetchedByteCount,
            fetchedFromWorkersByteCount: figures.fetchedFromWorkersByteCount, loading: figures.loading)
    }

    /// Who has not the right key is not told so: there is no connection to be told through.
    private func complainIfTurnedAway() {
        guard !hasJoined, !hasComplained, now >= Self.complaintDelay else { return }
        hasComplained = true
        logger.warning(
            configuration.security == nil
                ? "no answer from the coordinator yet; is it running, and without security: keys?"
                : "no answer from the coordinator yet; is it running, with security: keys, and does it know this key?",
            metadata: ["coordinator": "\(configuration.coordinatorEndpoint)"])
    }

    private func logChange() {
        if session.isWelcomed {
            hasJoined = true
            logger.info("joined the cluster", metadata: ["coordinator": "\(configuration.coordinatorEndpoint)"])
        } else if session.nextDeadline != nil {
            logger.warning(
                "no answer from the coordinator; saying hello again",
                metadata: ["coordinator": "\(configuration.coordinatorEndpoint)"])
        }
    }
}
