import Collectives
import Logging
import Transport
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

    /// Longest wait for a message; a wake signal ends it at once. Frames dropped meanwhile are told after it.
    private static let idleTimeout: Duration = .seconds(1)

    let clusterID: String
    /// See `Peer.hostID`; empty if this worker shares no memory.
    let hostID: String
    let logger: Logger
    let inbox: ComputeInbox
    let control: ControlInbox
    private let usage: WorkerUsage
    private let loader: Loader
    let meter: Worker.Meter?
    let links: any DataLinks
    /// What came while this thread waited for something else.
    let backlog = DeliveryBacklog()
    private var stage: LoadedStage?
    /// Whom there are links to.
    private(set) var targets: [NodeID] = []

    init(
        clusterID: String, hostID: String, links: any DataLinks, logger: Logger, inbox: ComputeInbox,
        control: ControlInbox,
        usage: WorkerUsage, loader: @escaping Loader, meter: Worker.Meter?
    ) {
        self.clusterID = clusterID
        self.hostID = hostID
        self.links = links
        self.logger = logger
        self.inbox = inbox
        self.control = control
        self.usage = usage
        self.loader = loader
        self.meter = meter
    }

    /// Bytes of the loaded stage's weights; 0 without one.
    var loadedWeightsByteCount: Int { stage?.computing.weightsByteCount ?? 0 }

    /// Runs until the inbox says to stop, or the links break.
    func run() {
        measureAtStart()
        while !inbox.isStopping {
            if let assignment = inbox.takeAssignment() {
                take(assignment)
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

    private func take(_ assignment: ComputeInbox.Assignment) {
        let kept = stage.flatMap { $0.duty.assignment.needsSameStage(as: assignment.stage) ? $0.computing : nil }
        // The old weights go before new ones come: a machine rarely has the memory for both.
        stage = nil
        if kept == nil { publishUsage() }
        do throws(StageError) {
            let near = RankLinking.nearRanks(assignment.stage)
            let farRanks = assignment.stage.ranks.indices.filter { !near.contains($0) }
            try connect(
                to: assignment.stage.successors(results: assignment.results)
                    + farRanks.map { assignment.stage.ranks[$0].peer })
            let linking = try RankLinking(
                assignment.stage, clusterID: clusterID, epoch: assignment.epoch, links: links, backlog: backlog
            ) { [inbox] in inbox.hasNews }
            let computing = if let kept { kept } else { try loader(assignment.stage, linking.group) }
            try kept?.reset(joining: linking.group)
            stage = LoadedStage(
                duty: StageDuty(
                    epoch: assignment.epoch, assignment: assignment.stage, results: assignment.results,
                    hiddenSize: computing.hiddenSize), computing: computing, linking: linking)
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
            logger.error(
                "stage not loaded",
                metadata: ["epoch": "\(assignment.epoch.number)", "problem": "\(error.message)"])
            control.post(
                .failure(
                    WorkerFailure(
                        kind: .loading, message: error.message.cut(toByteCount: 4096), isRetryable: error.isRetryable),
                    assignment.epoch))
        }
    }

    /// Opens links to these in place of all others.
    private func connect(to peers: [Peer]) throws(StageError) {
        for target in targets { links.disconnect(from: target) }
        targets = []
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
        let computing = stage?.computing
        let droppedFrameCount = links.drops.total
        usage.update { figures in
            figures.keyValueTokenCount = computing?.keyValueTokenCount ?? 0
            figures.keyValueTokenCapacity = computing?.keyValueTokenCapacity ?? 0
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
