import Transport

/// A worker's dealings with its coordinator, as a pure state machine: hello until it is taken in, heartbeats, and hello
/// again when no answer comes.
///
/// Times are measured from any fixed start.
package struct ControlSession: Sendable {
    /// When to give up waiting for what.
    package struct Timing: Sendable, Equatable {
        /// Wait between attempts to send a hello while there is no connection.
        package var connectInterval: Duration = .milliseconds(250)
        /// First and longest wait for the answer to a hello.
        package var firstHelloTimeout: Duration = .milliseconds(500)
        package var longestHelloTimeout: Duration = .seconds(2)
        /// Heartbeats without an answer after which the coordinator has lost or forgotten this worker.
        package var silentHeartbeatCount = 3
        /// But not before this much silence, however short the heartbeat interval.
        package var shortestSilence: Duration = .seconds(1)

        package init() {}
    }

    package enum Event: Sendable {
        /// Time has passed.
        case tick
        /// The hello that was asked for has been handed to a connection, or there is none.
        case helloSent(Bool)
        case received(Envelope)
        case receivedOtherVersion(UInt32)
        case report(ComputeReport)
        /// What this worker has for others is another now.
        case offering(WeightsOffer)
        case stop(reason: String)
    }

    package enum Effect: Sendable, Equatable {
        case sendHello
        case sendHeartbeat(number: UInt64, roundTrip: Duration?)
        /// To the coordinator, in this epoch.
        case send(Envelope.Body, Epoch)
        /// Open a fresh connection in place of the present one.
        case reconnect
        /// `weights` is where the model's files are to be had; nil if they are not.
        case assign(StageAssignment, Epoch, results: Peer, weights: Peer?)
        /// Take connections from these nodes, besides the coordinator's, and from no others.
        case trust([NodeKey])
        case measure(MeasurementOrder, Epoch)
        /// Load that part in advance; a failure is reported in this epoch. `weights` as above.
        case keepReady(StageAssignment, Epoch, weights: Peer?)
        /// Who has weights besides the coordinator.
        case fetchFrom([Peer])
        /// Let go of the part that is held.
        case release
        /// Count a message that was not taken.
        case drop(DropReason)
        case end(Ending)
    }

    /// How the session ended.
    package enum Ending: Sendable, Equatable {
        case stopped
        case refused(reason: String)
        case otherVersion(UInt32)
        case failed(String)
    }

    private enum State: Sendable, Equatable {
        /// A hello is to be sent at this time.
        case sayingHello(at: Duration)
        /// A hello is under way; it is given up at this time.
        case awaitingWelcome(until: Duration)
        case welcomed(Welcomed)
        case ended
    }

    private struct Welcomed: Sendable, Equatable {
        var interval: Duration
        var results: Peer
        var weights: Peer?
        var nextHeartbeat: Duration
        var heardAt: Duration
        /// The oldest heartbeat that has had no answer.
        var unanswered: SentHeartbeat?
    }

    private struct SentHeartbeat: Sendable, Equatable {
        var number: UInt64
        var sentAt: Duration
    }

    private let node: NodeID
    private let clusterID: String
    private let timing: Timing
    private var state: State
    private var helloTimeout: Duration
    private var heartbeatNumber: UInt64 = 0
    private var roundTrip: Duration?
    /// Of the last assignment; only newer ones are taken. Nil again after a welcome by a coordinator that is behind it.
    private var epoch: Epoch?
    /// How fast this machine is. Every coordinator that takes it in is told: it may have started anew.
    private var rates: NodeRates?
    /// What it has for others; likewise.
    private var offer: WeightsOffer?
    /// Reports made while no coordinator listened.
    private var held: [Effect] = []
    private let heldLimit = 64

    package init(node: NodeID, clusterID: String, timing: Timing = Timing(), at now: Duration) {
        self.node = node
        self.clusterID = clusterID
        self.timing = timing
        helloTimeout = timing.firstHelloTimeout
        state = .sayingHello(at: now)
    }

    /// Whether the coordinator has taken this worker in, as far as is known.
    package var isWelcomed: Bool {
        if case .welcomed = state { true } else { false }
    }

    /// When the next `tick` is due; nil when the session has ended.
    package var nextDeadline: Duration? {
        switch state {
        case .sayingHello(let time): time
        case .awaitingWelcome(let time): time
        case .welcomed(let welcomed): min(welcomed.nextHeartbeat, welcomed.heardAt + silence(welcomed))
        case .ended: nil
        }
    }

    package mutating func handle(_ event: Event, at now: Duration) -> [Effect] {
        if state == .ended { return [] }
        switch event {
        case .tick: return tick(now)
        case .helloSent(let isSent):
            guard case .sayingHello = state else { return [] }
            if isSent {
                state = .awaitingWelcome(until: now + helloTimeout)
                helloTimeout = min(helloTimeout * 2, timing.longestHelloTimeout)
            } else {
                state = .sayingHello(at: now + timing.connectInterval)
            }
            return []
        case .received(let envelope): return receive(envelope, now)
        case .receivedOtherVersion(let version): return end(.otherVersion(version))
        case .report(let report): return pass(on: report)
        case .offering(let offer):
            if offer == self.offer { return [] }
            self.offer = offer
            return isWelcomed ? offering : []
        case .stop(let reason):
            let leave: [Effect] = isWelcomed ? [.send(.leave(Leave(reason: reason)), epoch ?? Epoch(0))] : []
            return leave + end(.stopped)
        }
    }

    private mutating func tick(_ now: Duration) -> [Effect] {
        switch state {
        case .sayingHello(let time): return now >= time ? [.sendHello] : []
        case .awaitingWelcome(let time):
            guard now >= time else { return [] }
            // The connection may be one that the coordinator can't hear; a fresh one costs nothing.
            state = .sayingHello(at: now)
            return [.reconnect, .sendHello]
        case .welcomed(var welcomed):
            if now >= welcomed.heardAt + silence(welcomed) {
                helloTimeout = timing.firstHelloTimeout
                state = .sayingHello(at: now)
                return [.reconnect, .sendHello]
            }
            guard now >= welcomed.nextHeartbeat else { return [] }
            heartbeatNumber += 1
            // An answer that is late shall show as such, so the oldest one counts.
            if welcomed.unanswered == nil {
                welcomed.unanswered = SentHeartbeat(number: heartbeatNumber, sentAt: now)
            }
            // A late tick does not make up for heartbeats that were missed.
            welcomed.nextHeartbeat = max(welcomed.nextHeartbeat + welcomed.interval, now + welcomed.interval / 2)
            state = .welcomed(welcomed)
            return [.sendHeartbeat(number: heartbeatNumber, roundTrip: roundTrip)]
        case .ended: return []
        }
    }

    private mutating func receive(_ envelope: Envelope, _ now: Duration) -> [Effect] {
        // A refusal may come from a coordinator of another cluster: that is what it refuses.
        if case .refusal(let refusal) = envelope.body { return end(.refused(reason: refusal.reason)) }
        guard envelope.clusterID == clusterID else { return [.drop(.otherCluster)] }
        if case .welcome(let welcome) = envelope.body { return take(welcome, envelope.epoch, now) }
        guard case .welcomed(var welcomed) = state else { return [.drop(.unexpectedMessage)] }
        welcomed.heardAt = now
        defer { if case .welcomed = state { state = .welcomed(welcomed) } }
        switch envelope.body {
        case .heartbeatReply(let reply):
            if let unanswered = welcomed.unanswered, reply.number >= unanswered.number {
                if reply.number == unanswered.number { roundTrip = now - unanswered.sentAt }
                welcomed.unanswered = nil
            }
            return []
        case .keyring(let keyring): return [.trust(keyring.keys)]
        case .weightsSources(let sources): return [.fetchFrom(sources.peers)]
        case .assignment(let assignment):
            if let epoch, envelope.epoch <= epoch { return [.drop(.olderEpoch)] }
            guard isOwn(assignment) else { return [.drop(.malformed)] }
            epoch = envelope.epoch
            return [
                .assign(
                    assignment, envelope.epoch, results: welcomed.results, weights: welcomed.weights)
            ]
        case .measurementOrder(let order):
            return [.measure(order, envelope.epoch)]
        case .standby(let assignment):
            if let epoch, envelope.epoch < epoch { return [.drop(.olderEpoch)] }
            guard isOwn(assignment) else { return [.drop(.malformed)] }
            epoch = envelope.epoch
            return [.keepReady(assignment, envelope.epoch, weights: welcomed.weights)]
        case .release:
            if let epoch, envelope.epoch < epoch { return [.drop(.olderEpoch)] }
            epoch = envelope.epoch
            return [.release]
        case .leave(let leave):
            return handle(.stop(reason: leave.reason), at: now)
        case .hello, .heartbeat, .ready, .failure, .welcome, .refusal, .step, .stepResult, .exchange,
            .measurementReport, .linkProbe, .weightsOffer, .weightsRequest, .weightsReply:
            return [.drop(.unexpectedMessage)]
        }
    }

    private func isOwn(_ assignment: StageAssignment) -> Bool {
        assignment.ranks.indices.contains(assignment.rank) && assignment.ranks[assignment.rank].peer.node == node
    }

    private mutating func take(_ welcome: Welcome, _ welcomeEpoch: Epoch, _ now: Duration) -> [Effect] {
        if let epoch, welcomeEpoch < epoch {
            // A coordinator that has started anew, and counts its epochs anew. It waits for no report of the old ones.
            self.epoch = nil
            held = []
        }
        roundTrip = isWelcomed ? roundTrip : nil
        helloTimeout = timing.firstHelloTimeout
        state = .welcomed(
            Welcomed(
                interval: welcome.heartbeatInterval,
                results: Peer(node: .coordinator, dataEndpoint: welcome.dataEndpoint),
                weights: welcome.weightsEndpoint.isEmpty
                    ? nil : Peer(node: .coordinator, dataEndpoint: welcome.weightsEndpoint),
                nextHeartbeat: now, heardAt: now))
        let reports = held
        held = []
        return tick(now) + ratesReport + offering + reports
    }

    private mutating func pass(on report: ComputeReport) -> [Effect] {
        switch report {
        case .listening: return []
        case .ready(let ready, let reportEpoch):
            return reportEpoch == epoch ? sendOrHold(.ready(ready), reportEpoch) : []
        case .failure(let failure, let reportEpoch):
            // A step is told by its number and epoch; whether a load is still waited for only the epoch tells.
            let isWanted = failure.kind != .loading || reportEpoch == epoch
            return isWanted ? sendOrHold(.failure(failure), reportEpoch) : []
        case .measured(let report, let reportEpoch):
            if case .node(let rates) = report.result { self.rates = rates }
            // What is measured of a link is for whoever ordered it just now; what of this machine, for any coordinator.
            return isWelcomed ? [.send(.measurementReport(report), reportEpoch)] : []
        case .broken(let problem): return end(.failed(problem))
        }
    }

    private var offering: [Effect] { offer.map { [.send(.weightsOffer($0), Epoch(0))] } ?? [] }

    private var ratesReport: [Effect] {
        guard let rates else { return [] }
        return [.send(.measurementReport(MeasurementReport(number: 0, result: .node(rates))), Epoch(0))]
    }

    private mutating func sendOrHold(_ body: Envelope.Body, _ epoch: Epoch) -> [Effect] {
        if isWelcomed { return [.send(body, epoch)] }
        if held.count >= heldLimit { held.removeFirst() }
        held.append(.send(body, epoch))
        return []
    }

    /// Takes back reports that could not be sent over a connection that is given up now.
    package mutating func hold(_ reports: [(body: Envelope.Body, epoch: Epoch)]) {
        let unsent = reports.filter { report in
            switch report.body {
            // What this worker offers is said anew after a welcome.
            case .leave, .weightsOffer: false
            default: true
            }
        }
        held = (unsent.map { .send($0.body, $0.epoch) } + held).suffix(heldLimit)
    }

    private mutating func end(_ ending: Ending) -> [Effect] {
        state = .ended
        return [.end(ending)]
    }

    private func silence(_ welcomed: Welcomed) -> Duration {
        max(welcomed.interval * timing.silentHeartbeatCount, timing.shortestSilence)
    }
}

/// What the compute thread tells the control thread.
package enum ComputeReport: Sendable, Equatable {
    /// The data plane listens here.
    case listening(endpoint: String)
    case ready(StageReady, Epoch)
    case failure(WorkerFailure, Epoch)
    /// In answer to an order of this epoch, or when it started.
    case measured(MeasurementReport, Epoch)
    /// The compute thread can't go on.
    case broken(String)
}
