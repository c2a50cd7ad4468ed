import Transport

extension Scheduler {
    public enum Event: Sendable, Equatable {
        /// The pipeline is ready for steps.
        case opened(stageCount: Int, keyValueTokenCapacity: Int)
        /// The pipeline is gone; `isLoss` is false if nothing failed, so that its requests are not to blame.
        case closed(because: String, isLoss: Bool = true)
        /// Another pipeline is being loaded.
        case loading
        /// `committed` are tokens that were sampled before, from which it goes on. The limit of the queue holds for this
        /// one and what waits elsewhere together.
        case submitted(Ticket, Work, committed: [Int32] = [], queuedElsewhereCount: Int = 0)
        /// A request that was let in by the coordinator before this one. It waits for a pipeline like one that lost its own.
        case restored(Ticket, Work, committed: [Int32])
        /// Nobody waits for the answer any more.
        case cancelled(Ticket)
        case result(StepResult)
        /// A stage could not compute a step and goes on, or the step could not be sent; whether its requests begin anew,
        /// or end with that.
        case stepFailed(StepID, GenerationError, isRetryable: Bool)
        /// Time has passed.
        case tick
    }

    public enum Effect: Sendable, Equatable {
        /// Send the step to the first stage. Steps are to arrive in the order of these effects.
        case send(Step)
        /// So many tokens of a request were not computed, as the KV of an earlier one was at hand. Comes before its
        /// first token, if at all.
        case reused(Ticket, tokenCount: Int)
        case token(Ticket, TokenChoice)
        /// Each request ends with one of `finished`, `scored`, `failed` and `outwaited`, unless it is cancelled.
        case finished(Ticket, FinishReason)
        case scored(Ticket, ScoredText)
        case failed(Ticket, GenerationError)
        /// It has waited for another pipeline for that long, in vain.
        case outwaited(Ticket, limit: Duration)
        /// A result without a step; nothing changes.
        case unexpectedResult(StepID)
        /// A result that does not answer its step; the text says how. The last stage cannot be trusted; close the pipeline.
        case brokenResult(StepID, String)
        /// The oldest step has had no result for that long. The pipeline's state is unknown now; close it.
        case stalled(StepID, after: Duration)
        /// The step got lost between two stages. Stages hold different things now; close the pipeline.
        case lost(StepID)
    }
}
