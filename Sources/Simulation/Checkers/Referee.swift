import ClusterCore
import Transport
import WorkerRuntime

/// Watches a simulation, and keeps the first rule that it breaks.
final class Referee {
    private(set) var violation: Violation?
    private let trace: Trace
    var answers: AnswerChecker
    var epochs = EpochChecker()
    var placements: PlacementChecker
    var journal: JournalChecker

    init(plan: ClusterPlan, trace: Trace) {
        self.trace = trace
        answers = AnswerChecker(plan.model)
        placements = PlacementChecker(layerCount: plan.model.layerCount)
        journal = JournalChecker(isKept: plan.journalLimits != nil, keepsAll: plan.keepsAllStreams)
    }

    func violate(_ rule: Rule, _ detail: String, at now: Instant) {
        guard violation == nil else { return }
        trace.note(.note("violated: \(rule.rawValue): \(detail)"), at: now)
        violation = Violation(rule: rule, detail: detail, at: now)
    }

    func violate(_ rule: Rule, at now: Instant, if problem: String?) {
        if let problem { violate(rule, problem, at: now) }
    }

    // MARK: Requests

    func noteToken(_ ticket: Ticket, _ choice: TokenChoice, at now: Instant) {
        // What it had is the beginning of what it gets when it reads on.
        violate(answers.isRepeating(ticket) ? .journal : .tokens, at: now, if: answers.token(ticket, choice))
    }

    func noteReused(_ ticket: Ticket, _ tokenCount: Int, at now: Instant) {
        violate(.tokens, at: now, if: answers.reused(ticket, tokenCount))
    }

    func noteFinished(_ ticket: Ticket, _ reason: FinishReason, at now: Instant) {
        violate(.tokens, at: now, if: answers.finished(ticket, reason))
    }

    func noteScored(_ ticket: Ticket, _ text: ScoredText, at now: Instant) {
        violate(.tokens, at: now, if: answers.scored(ticket, text))
    }

    func noteFailed(_ ticket: Ticket, _ error: GenerationError, at now: Instant) {
        trace.note(.note("request \(ticket.number) failed: \(error)"), at: now)
        violate(.tokens, at: now, if: answers.failed(ticket, error))
    }

    // MARK: Epochs and placements

    func note(_ notice: Notice, at now: Instant) {
        switch notice {
        case .epochOpened(let pipeline, let replica):
            violate(.epochs, at: now, if: epochs.opened(pipeline.epoch))
            violate(.placements, at: now, if: placements.opened(pipeline, replica: replica))
        case .serving(let pipeline, _, _): violate(.placements, at: now, if: placements.serving(pipeline.epoch))
        case .epochEnded(let epoch, _, _, _): violate(.placements, at: now, if: placements.ended(epoch))
        case .drained(let node, _): placements.drained(node)
        case .resumed(let node): placements.resumed(node)
        default: break
        }
    }

    /// The coordinator's process has ended, and with it what it placed.
    func noteCoordinatorEnded() { placements.coordinatorEnded() }

    /// A coordinator starts with what its journal has of those before it.
    func noteStarted(_ restored: [(id: String, tokenCount: Int)], drained: [NodeID], at now: Instant) {
        violate(.journal, at: now, if: journal.restarted(restored, drained: drained))
        for node in drained { placements.drained(node) }
    }

    func noteAnswer(_ envelope: Envelope, over channel: Int, at now: Instant) {
        violate(.epochs, at: now, if: epochs.sent(envelope.epoch, over: channel))
    }

    func noteAssigned(_ machine: Int, process: Int, _ epoch: Epoch, at now: Instant) {
        violate(.epochs, at: now, if: epochs.assigned(machine, process: process, epoch))
    }

    func noteComputing(_ node: NodeID, _ duty: StageDuty, at now: Instant) {
        violate(.placements, at: now, if: placements.computing(node, duty))
    }

    /// An effect of a result of an epoch that was not served then.
    func noteConsequence<Connection>(
        _ effect: CoordinatorCore<Connection>.Effect, ofResultIn epoch: Epoch, at now: Instant
    ) {
        switch effect {
        case .token, .finished, .scored, .failed, .sendStep, .notice(.epochEnded):
            violate(.placements, "a result of epoch \(epoch.number), which is not served, was taken", at: now)
        default: break
        }
    }
}
