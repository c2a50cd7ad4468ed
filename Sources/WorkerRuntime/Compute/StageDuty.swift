import Transport

/// What a worker owes in an epoch: which of the messages that arrive it takes, whom it passes its output on to, and what
/// it reports when it cannot. Without its links, its stage and a clock, so that a simulation decides alike.
package struct StageDuty: Sendable {
    package let epoch: Epoch
    package let assignment: StageAssignment
    /// Where the last stage's results go.
    package let results: Peer
    private var gate: StepGate

    /// What to do with a message.
    package enum Verdict: Sendable {
        case compute(Step)
        /// Another rank's part of a step.
        case part(Exchange)
        /// Count it, and nothing else.
        case drop(DropReason)
        /// Count it, and tell the coordinator, whose step it is.
        case reject(DropReason, WorkerFailure)
    }

    package init(epoch: Epoch, assignment: StageAssignment, results: Peer, hiddenSize: Int) {
        self.epoch = epoch
        self.assignment = assignment
        self.results = results
        gate = StepGate(
            isFirstStage: assignment.isFirstStage, hiddenSize: hiddenSize,
            maximumStepRowCount: assignment.maximumStepRowCount)
    }

    /// - Parameters:
    ///   - payloadByteCount: size of the frame behind the envelope; nil if there was none.
    ///   - takesParts: whether other ranks send their parts over these links.
    package mutating func judge(
        _ envelope: Envelope, from sender: NodeID, payloadByteCount: Int?, takesParts: Bool
    ) -> Verdict {
        guard envelope.epoch >= epoch else { return .drop(.olderEpoch) }
        if case .exchange(let exchange) = envelope.body, takesParts { return .part(exchange) }
        guard envelope.epoch == epoch, sender == assignment.previous, case .step(let step) = envelope.body else {
            return .drop(.unexpectedMessage)
        }
        do throws(StepGate.Rejection) {
            try gate.check(step, payloadByteCount: payloadByteCount)
            return .compute(step)
        } catch {
            return .reject(
                error.reason, failure(of: step, StageError("from \(sender): \(error.message)", isRetryable: false)))
        }
    }

    /// Whom a computed step goes on to: the ranks of the next stage, the coordinator, or nobody.
    package var recipients: [NodeID] { assignment.answers ? [results.node] : assignment.next.map(\.node) }

    /// For a step that could not be computed.
    package func failure(of step: Step, _ error: StageError) -> WorkerFailure {
        failure(of: step, error, silent: error.silentRank.map { assignment.ranks[$0].peer.node })
    }

    /// For a step that was computed and could not be passed on.
    package func failure(of step: Step, passingOn error: LinkError) -> WorkerFailure {
        let problem = StageError(
            "step \(step.id.number) computed, but not passed on: \(error)", isRetryable: error.isRetryable)
        // The coordinator finds out by itself what it did not get.
        return failure(of: step, problem, silent: error.silentNode.flatMap { $0 == .coordinator ? nil : $0 })
    }

    /// - Parameter silent: the node that did not do its part, if that was it.
    private func failure(of step: Step, _ error: StageError, silent: NodeID?) -> WorkerFailure {
        WorkerFailure(
            kind: silent.map { .exchange(step.id, with: $0) } ?? .step(step.id),
            message: error.message.cut(toByteCount: 4096), isRetryable: error.isRetryable)
    }
}

extension StageAssignment {
    /// Whom it needs links to, besides the ranks of its stage: whom its output goes to.
    package func successors(results: Peer) -> [Peer] { answers ? [results] : next }
}
