import Collectives
import Logging
import Transport
import WeightTransfer
import ZeroMQ

/// The compute thread: the data links and the stage.
final class ComputeLoop {
    typealias Loader = Worker.Loader

    /// The stage that is loaded, and what belongs to it.
    private struct LoadedStage {
        var duty: StageDuty
        let computing: any StageComputing
        /// Holds what the ranks share until the epoch is over.
        let linking: RankLinking
    }

    /// A part that is loaded, for a stage that it does not serve yet, or no more.
    private struct ReadyPart {
        let assignment: StageAssignment
        let computing: any StageComputing
    }

    /// Longest wait for a message; a wake signal ends it at once. Frames dropped meanwhile are told after it.
    private static let idleTimeout: Duration = .seconds(1)

    let clusterID: String
    /// See `Peer.hostID`; empty if this worker shares no memory.
    let hostID: String
    private let security: NodeSecurity?
    let logger: Logger
    let inbox: ComputeInbox
    let control: ControlInbox
    private let usage: WorkerUsage
    private let sharing: WeightsSharing
    private let loader: Loader
    let meter: Worker.Meter?
    let links: any DataLinks
    /// What came while this thread waited for something else.
    let backlog = DeliveryBacklog()
    private var stage: LoadedStage?
    /// Only while there is no stage.
    private var ready: ReadyPart?
    /// The `partDigest` of what is loaded; 0 if nothing is.
    private var heldDigest: UInt64 = 0
    /// Whom there are links to.
    private(set) var targets: [NodeID] = []

    init(
        clusterID: String, hostID: String, security: NodeSecurity?, links: any DataLinks, logger: Logger,
        inbox: ComputeInbox, control: ControlInbox,
        usage: WorkerUsage, sharing: WeightsSharing, loader: @escaping Loader, meter: Worker.Meter?
    ) {
        self.clusterID = clusterID
        self.hostID = hostID
        self.security = security
        self.links = links
        self.logger = logger
        self.inbox = inbox
        self.control = control
        self.usage = usage
        self.sharing = sharing
        self.loader = loader
        self.meter = meter
    }

    /// Bytes of the loaded stage's weights; 0 without one.
    var loadedWeightsByteCount: Int { held?.computing.weightsByteCount ?? 0 }

    /// What is loaded, whether or not it serves a stage.
    private var held: ReadyPart? {
        stage.map { ReadyPart(assignment: $0.duty.assignment, computing: $0.computing) } ?? ready
    }

    /// Runs until the inbox says to stop, or the links break.
    func run() {
        measureAtStart()
        while !inbox.isStopping {
            if let order = inbox.takePart() {
                follow(order)
                continue
            }
            if let (order, epoch) = inbox.takeOrder() {
                measure(order, epoch)
                continue
            }
            do throws(LinkError) {
                if let delivery = try nextDelivery() { handle(delivery) }
                publishUsage()
            } catch {
                control.post(.broken("the data plane at \(links.endpoint) broke: \(error)"))
                return
            }
        }
    }

    private func nextDelivery() throws(LinkError) -> Delivery? {
        if let delivery = backlog.next() { return delivery }
        return try links.receive(timeout: Self.idleTimeout)
    }

    private func follow(_ order: ComputeInbox.PartOrder) {
        switch order {
        case .assign(let assignment): take(assignment)
        case .keepReady(let assignment, let epoch, let weights):
            keepReady(assignment, epoch, weights: weights)
        case .release: letGo()
        }
    }

    /// Takes out what is loaded if it is the part that an assignment needs. What is not goes: old weights go before new
    /// ones come, as a machine rarely has the memory for both.
    private func takeHeld(for assignment: StageAssignment) -> (any StageComputing)? {
        let kept = held.flatMap { $0.assignment.needsSamePart(as: assignment) ? $0.computing : nil }
        (stage, ready, heldDigest) = (nil, nil, 0)
        if kept == nil { publishUsage() }
        return kept
    }

    private func take(_ assignment: ComputeInbox.Assignment) {
        let kept = takeHeld(for: assignment.stage)
        do throws(StageError) {
            let near = RankLinking.nearRanks(assignment.stage)
            let farRanks = assignment.stage.ranks.indices.filter { !near.contains($0) }
            try connect(
                to: assignment.stage.successors(results: assignment.results)
                    + farRanks.map { assignment.stage.ranks[$0].peer })
            let linking = try RankLinking(
                assignment.stage, clusterID: clusterID, epoch: assignment.epoch, links: links, backlog: backlog
            ) { [inbox] in inbox.hasNews }
            let computing =
                if let kept { kept } else {
                    try load(
                        assignment.stage, assignment.epoch, weights: assignment.weights, linking.group)
                }
            try kept?.reset(joining: linking.group)
            stage = LoadedStage(
                duty: StageDuty(
                    epoch: assignment.epoch, assignment: assignment.stage, results: assignment.results,
                    hiddenSize: computing.hiddenSize), computing: computing, linking: linking)
            heldDigest = assignment.stage.partDigest
            publishUsage()
            logger.info(
                "stage ready",
                metadata: [
                    "epoch": "\(assignment.epoch.number)", "weightsByteCount": "\(computing.weightsByteCount)",
                    "keyValueTokenCapacity": "\(computing.keyValueTokenCapacity)", "loaded": "\(kept == nil)",
                ])
            let ready = StageReady(
                weightsByteCount: UInt64(max(0, computing.weightsByteCount)),
                keyValueTokenCapacity: computing.keyValueTokenCapacity)
            control.post(.ready(ready, assignment.epoch))
        } catch {
            reportNotLoaded(error, assignment.epoch)
        }
    }

    /// Has the part ready that an assignment would need, but serves no stage with it.
    private func keepReady(_ assignment: StageAssignment, _ epoch: Epoch, weights: Peer?) {
        let kept = takeHeld(for: assignment)
        disconnect()
        do throws(StageError) {
            let group = RankLinking.detached(assignment)
            let computing = if let kept { kept } else { try load(assignment, epoch, weights: weights, group) }
            try kept?.reset(joining: group)
            ready = ReadyPart(assignment: assignment, computing: computing)
            heldDigest = assignment.partDigest
            publishUsage()
            logger.info(
                "part ready",
                metadata: [
                    "epoch": "\(epoch.number)", "weightsByteCount": "\(computing.weightsByteCount)",
                    "loaded": "\(kept == nil)",
                ])
        } catch {
            reportNotLoaded(error, epoch)
        }
    }

    private func letGo() {
        (stage, ready, heldDigest) = (nil, nil, 0)
        // Others on this machine may need the room.
        sharing.shelf.clear()
        disconnect()
        publishUsage()
    }

    private func reportNotLoaded(_ error: StageError, _ epoch: Epoch) {
        publishUsage()
        // Whoever has given a newer order waits for this one no more.
        guard !inbox.hasNews else { return }
        logger.error("part not loaded", metadata: ["epoch": "\(epoch.number)", "problem": "\(error.message)"])
        control.post(
            .failure(
                WorkerFailure(
                    kind: .loading, message: error.message.cut(toByteCount: 4096), isRetryable: error.isRetryable),
                epoch))
    }

    private func disconnect() {
        for target in targets { links.disconnect(from: target) }
        targets = []
    }

    private func load(
        _ assignment: StageAssignment, _ epoch: Epoch, weights: Peer?, _ group: RankGroup
    ) throws(StageError) -> any StageComputing {
        defer { usage.update { $0.loading = nil } }
        let supply = weights.map { [inbox, usage, sharing] source in
            var supply = WeightsSupply(
                source: source, node: links.node, clusterID: clusterID, epoch: epoch, security: security,
                wake: [inbox.wake], isAbandoned: { inbox.hasNews },
                report: { progress in usage.update { $0.loading = progress } },
                noteFetched: { byteCount, source in usage.noteFetched(byteCount, from: source) })
            supply.peers = { sharing.sources }
            supply.shelf = sharing.shelf
            return supply
        }
        return try loader(assignment, group, supply)
    }

    /// Opens links to these in place of all others.
    private func connect(to peers: [Peer]) throws(StageError) {
        disconnect()
        for peer in peers {
            do throws(LinkError) {
                try links.connect(to: peer)
                targets.append(peer.node)
            } catch {
                throw StageError("no link to \(peer.node) at \(peer.dataEndpoint): \(error)", isRetryable: false)
            }
        }
    }

    private func handle(_ delivery: Delivery) {
        guard let stage,
            let verdict = self.stage?.duty.judge(
                delivery.envelope, from: delivery.sender, payloadByteCount: delivery.payload?.byteCount,
                takesParts: stage.linking.sockets != nil)
        else {
            links.drop(from: delivery.sender, because: .unexpectedMessage)
            return
        }
        switch verdict {
        case .compute(let step): compute(step, delivery.payload, stage)
        case .part: stage.linking.sockets?.take(delivery)
        case .drop(let reason): links.drop(from: delivery.sender, because: reason)
        case .reject(let reason, let failure):
            links.drop(from: delivery.sender, because: reason)
            report(failure, stage)
        }
    }

    private func compute(_ step: Step, _ payload: (any Payload)?, _ stage: LoadedStage) {
        let output: StageOutput
        do throws(StageError) {
            output = try run(step, payload, stage)
        } catch {
            report(stage.duty.failure(of: step, error), stage)
            return
        }
        do throws(LinkError) {
            try pass(on: output, of: step, stage)
            usage.update { $0.computedTokenCount += UInt64(step.rowCount) }
        } catch {
            report(stage.duty.failure(of: step, passingOn: error), stage)
        }
    }

    private func run(
        _ step: Step, _ payload: (any Payload)?, _ stage: LoadedStage
    ) throws(StageError) -> StageOutput {
        if stage.duty.assignment.isFirstStage { return try stage.computing.run(step) }
        guard let payload else {
            // A step that only gives sequences back has no rows.
            return try stage.computing.run(step, hiddenStates: RawSpan())
        }
        return try payload.withBytes { bytes throws(StageError) in
            try stage.computing.run(step, hiddenStates: bytes)
        }
    }

    private func pass(on output: StageOutput, of step: Step, _ stage: LoadedStage) throws(LinkError) {
        let assignment = stage.duty.assignment
        switch output {
        case .hiddenStates where !assignment.isLastStage:
            let envelope = envelope(.step(step), stage)
            try stage.computing.withHiddenStates { bytes throws(LinkError) in
                for node in stage.duty.recipients { try links.send(envelope, payload: bytes, to: node) }
            }
        case .result(let result) where assignment.answers:
            let envelope = envelope(.stepResult(result), stage)
            for node in stage.duty.recipients { try links.send(envelope, to: node) }
        case .nothing where assignment.isLastStage && !assignment.answers: break
        case .hiddenStates, .result, .nothing:
            throw .refused(
                "rank \(assignment.rank) of stage \(assignment.stage) of \(assignment.stageCount) computed what "
                    + "is not for it to pass on")
        }
    }

    private func envelope(_ body: Envelope.Body, _ stage: LoadedStage) -> Envelope {
        Envelope(clusterID: clusterID, epoch: stage.duty.epoch, sender: links.node, body: body)
    }

    private func report(_ failure: WorkerFailure, _ stage: LoadedStage) {
        logger.error(
            "step failed",
            metadata: ["step": "\(failure.kind.step?.number ?? 0)", "problem": "\(failure.message)"])
        control.post(.failure(failure, stage.duty.epoch))
    }

    private func publishUsage() {
        let held = held
        let droppedFrameCount = links.drops.total
        usage.update { figures in
            figures.keyValueTokenCount = held?.computing.keyValueTokenCount ?? 0
            figures.keyValueTokenCapacity = held?.computing.keyValueTokenCapacity ?? 0
            figures.heldPart = heldDigest
            figures.droppedFrameCount = droppedFrameCount
        }
    }
}

extension String {
    /// The text without what goes beyond `limit` bytes of UTF-8 or follows a NUL.
    func cut(toByteCount limit: Int) -> String {
        var text = String(prefix { $0 != "\0" })
        while text.utf8.count > limit { text.removeLast(max(1, (text.utf8.count - limit) / 4)) }
        return text
    }
}
