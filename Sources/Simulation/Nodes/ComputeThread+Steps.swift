import ClusterCore
import Transport
import Wire
import WorkerRuntime

/// Steps, and what ranks exchange in them.
extension ComputeThread {
    private static let rowTime: Duration = .microseconds(15)
    private static let layerTime: Duration = .microseconds(40)
    /// As `ExchangeWait` has it: once more for each 256 rows.
    private static let exchangeTimeout: Duration = .seconds(5)
    /// Parts of a rank that may wait, as in `SocketLinks`.
    private static let partLimit = 8

    func handle(_ delivery: Delivery) {
        let takesParts = hasOtherRanks
        guard
            let verdict = loaded?.duty.judge(
                delivery.envelope, from: delivery.envelope.sender,
                payloadByteCount: delivery.payload.map { $0.count * 8 }, takesParts: takesParts)
        else {
            process.drop(.unexpectedMessage)
            return
        }
        switch verdict {
        case .compute(let step): begin(step, delivery.payload)
        case .part(let exchange): takePart(exchange, delivery)
        case .drop(let reason): process.drop(reason)
        case .reject(let reason, let failure):
            process.drop(reason)
            report(failure)
        }
    }

    private var hasOtherRanks: Bool { (loaded?.duty.assignment.ranks.count ?? 1) > 1 }

    private func begin(_ step: Step, _ payload: [UInt64]?) {
        guard let duty = loaded?.duty else { return }
        world.referee.noteComputing(machine.node, duty, at: world.now)
        let run: SimulatedStage.Run
        do throws(StageError) {
            guard let begun = try loaded?.stage.begin(step, duty.assignment.isFirstStage ? nil : payload ?? []) else {
                return
            }
            if !step.slices.isEmpty, world.strikes(.stepFailure, on: machine) {
                throw StageError("there was no memory for the step", isRetryable: true)
            }
            run = begun
        } catch {
            report(duty.failure(of: step, error))
            return
        }
        guard !step.slices.isEmpty else { return finish(run) }
        compute(run)
    }

    /// Computes up to where the ranks combine their parts; a single rank to the end.
    private func compute(_ begun: SimulatedStage.Run) {
        var run = begun
        let layerTime = Self.layerTime + Self.rowTime * run.step.rowCount
        loaded?.stage.attend(&run)
        work(layerTime)
        if !hasOtherRanks {
            while run.advance() {
                loaded?.stage.attend(&run)
                work(layerTime)
            }
        }
        activity = .computing(run)
    }

    func goOn(with run: SimulatedStage.Run) {
        guard hasOtherRanks else { return finish(run) }
        post(run)
    }

    private func finish(_ run: SimulatedStage.Run) {
        guard let duty = loaded?.duty, let output = loaded?.stage.finish(run) else { return }
        activity = .none
        let sent: LinkError?
        switch output {
        case .hiddenStates(let rows):
            sent = send(.step(run.step), rows, to: duty.recipients)
        case .result(let result):
            sent = send(.stepResult(result), nil, to: duty.recipients)
        case .nothing: sent = nil
        }
        if let sent {
            report(duty.failure(of: run.step, passingOn: sent))
        } else {
            noteComputed(run.step.rowCount)
        }
    }

    /// Tells the control thread, when the thread has got that far.
    private func report(_ failure: WorkerFailure) {
        guard let epoch = loaded?.duty.epoch else { return }
        activity = .reporting(failure, epoch)
    }

    /// Sends to these nodes in order; the error if one cannot be sent to.
    private func send(_ body: Envelope.Body, _ payload: [UInt64]?, to nodes: [NodeID]) -> LinkError? {
        guard let epoch = loaded?.duty.epoch else { return nil }
        let envelope = Envelope(clusterID: ClusterPlan.clusterID, epoch: epoch, sender: machine.node, body: body)
        for node in nodes {
            guard let channel = links.first(where: { $0.node == node })?.channel else { return .notConnected(node) }
            let start = max(busyUntil, world.now)
            do throws(WireError) {
                guard let end = try world.network.send(envelope, payload: payload, over: channel, from: start) else {
                    busyUntil = start.advanced(by: Network.sendTimeout)
                    return .timedOut(node, afterMilliseconds: 500)
                }
                busyUntil = end
            } catch {
                return .refused(error.description)
            }
        }
        return nil
    }

    // MARK: Ranks

    private func post(_ run: SimulatedStage.Run) {
        guard let assignment = loaded?.duty.assignment, let round = loaded?.postedRoundCount else { return }
        let exchange = Exchange(step: run.step.id, round: round)
        for rank in assignment.ranks.indices where rank != assignment.rank {
            let node = assignment.ranks[rank].peer.node
            if let error = send(.exchange(exchange), run.sums, to: [node]) {
                return lose(run.step, rank: rank, "did not take its part (\(error))")
            }
        }
        loaded?.postedRoundCount += 1
        let timeout = Self.exchangeTimeout * (1 + run.step.rowCount / 256)
        activity = .awaitingParts(
            run, until: machine.clock.reading(at: max(busyUntil, world.now)).advanced(by: timeout))
    }

    func takePart(_ exchange: Exchange, _ delivery: Delivery) {
        guard let duty = loaded?.duty, delivery.envelope.epoch == duty.epoch else {
            return process.drop(.olderEpoch)
        }
        let ranks = duty.assignment.ranks
        guard let sums = delivery.payload,
            let rank = ranks.firstIndex(where: { $0.peer.node == delivery.envelope.sender }),
            rank != duty.assignment.rank
        else { return process.drop(.unexpectedMessage) }
        guard let count = loaded?.parts[rank].count, count < Self.partLimit else {
            return process.drop(.queueFull)
        }
        loaded?.parts[rank].append((exchange, sums))
    }

    /// The first rank whose part is missing; nil if none is.
    var missingRank: Int? {
        guard let loaded else { return nil }
        return loaded.parts.indices.first { $0 != loaded.duty.assignment.rank && loaded.parts[$0].isEmpty }
    }

    /// Adds what the other ranks have given, and goes on with the next layer.
    func addParts(_ begun: SimulatedStage.Run) {
        guard let assignment = loaded?.duty.assignment, let round = loaded?.finishedRoundCount else { return }
        var run = begun
        for rank in assignment.ranks.indices where rank != assignment.rank {
            guard let part = loaded?.parts[rank].removeFirst() else { return }
            guard part.exchange == Exchange(step: run.step.id, round: round), part.sums.count == run.step.rowCount
            else { return lose(run.step, rank: rank, "has given a part of another step, round or size") }
            run.add(part.sums)
        }
        loaded?.finishedRoundCount += 1
        if run.advance() { compute(run) } else { finish(run) }
    }

    /// The ranks are no longer in step.
    func lose(_ step: Step, rank: Int, _ problem: String) {
        guard let duty = loaded?.duty else { return }
        let node = duty.assignment.ranks[rank].peer.node
        let error = StageError(
            "step \(step.id.number): rank \(rank), \(node), \(problem)", isRetryable: true, silentRank: rank)
        loaded?.stage.loseStep(because: error)
        report(duty.failure(of: step, error))
    }
}
